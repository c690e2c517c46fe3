"""The name of the document that every evaluation is printed as.

``report/assets/evaluation.schema.json`` states it. New keys may be added under the same name; a key
that is removed or changes its meaning changes the name.
"""

SCHEMA = "sightline.evaluation/1"
