"""The aerial image: everything seen straight down."""
