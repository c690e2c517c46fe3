(() => {
  "use strict";

  const ALIVE = 8; // maps that run at once; the others show their still picture
  const OUTLINES_UP_TO_ZOOM = 8; // closer in, rounded outlines would be drawn where they are not
  const maps = JSON.parse(document.getElementById("maps").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const near = (lon, centre) => lon + 360 * Math.round((centre - lon) / 360);
  const coordinates = (lat, lon) => `${lat.toFixed(6)}, ${L.Util.wrapNum(lon, [-180, 180], true).toFixed(6)}`;

  let outlines = null;
  function world() {
    if (!outlines) {
      const { per_degree: perDegree, land, borders } = JSON.parse(document.getElementById("world").textContent);
      const line = (flat) => {
        const points = [];
        for (let i = 0, lon = 0, lat = 0; i < flat.length; i += 2) {
          points.push([(lat += flat[i + 1]) / perDegree, (lon += flat[i]) / perDegree]);
        }
        return points;
      };
      outlines = { land: land.map((polygon) => polygon.map(line)), borders: borders.map(line) };
    }
    return outlines;
  }

  function addOutlines(map) {
    const pane = map.createPane("outlines");
    pane.style.zIndex = 200;
    const renderer = L.canvas({ pane: "outlines", padding: 0.3 });
    const { land, borders } = world();
    const shared = { renderer, pane: "outlines", interactive: false, smoothFactor: 0.7 };
    let group = null;
    function draw() {
      group = L.layerGroup();
      for (const shift of [-360, 0, 360]) {
        const move = (points) => (shift ? points.map(([lat, lon]) => [lat, lon + shift]) : points);
        group.addLayer(L.polygon(land.map((p) => p.map(move)), { ...shared, color: style("--coast"), weight: 0.8, fillColor: style("--land"), fillOpacity: 1 }));
        group.addLayer(L.polyline(borders.map(move), { ...shared, color: style("--border"), weight: 0.8 }));
      }
    }
    const toggle = () => {
      const close = map.getZoom() > OUTLINES_UP_TO_ZOOM;
      map.getContainer().classList.toggle("close", close);
      // Most maps never leave their street: the world is drawn when it first comes into view.
      if (!close && !group) draw();
      if (close && group) group.remove();
      if (!close) group.addTo(map);
    };
    map.on("zoomend", toggle);
    toggle();
  }

  const STEPS = [];
  for (let exponent = -5; exponent < 2; exponent++) for (const m of [1, 2, 5]) STEPS.push([m * 10 ** exponent, Math.max(0, -exponent)]);
  STEPS.push([30, 0], [45, 0]);

  function addGraticule(map) {
    const group = L.layerGroup().addTo(map);
    const options = { color: style("--grid"), weight: 1, opacity: 0.35, interactive: false };
    const label = (lat, lon, text, offset) =>
      L.marker([lat, lon], { interactive: false, keyboard: false, icon: L.divIcon({ className: "graticule", html: text, iconSize: [70, 12], iconAnchor: offset }) });
    function draw() {
      group.clearLayers();
      const [bounds, size] = [map.getBounds(), map.getSize()];
      const [west, east] = [bounds.getWest(), bounds.getEast()];
      const [south, north] = [Math.max(-90, bounds.getSouth()), Math.min(90, bounds.getNorth())];
      const [step, decimals] = STEPS.find(([s]) => (east - west) / s <= Math.max(2, size.x / 80)) || STEPS[STEPS.length - 1];
      const text = (value, signs) => `${Math.abs(value).toFixed(decimals)}° ${value >= 0 ? signs[0] : signs[1]}`;
      for (let i = Math.ceil(west / step); i <= east / step; i++) {
        group.addLayer(L.polyline([[south, i * step], [north, i * step]], options));
        const at = map.latLngToContainerPoint([north, i * step]);
        // Labels that the edge or the zoom buttons would cut are left out.
        if (at.x > 40 && at.x < size.x - 70) group.addLayer(label(north, i * step, text(L.Util.wrapNum(i * step, [-180, 180]), "EW"), [-4, -3]));
      }
      for (let i = Math.ceil(south / step); i <= north / step; i++) {
        group.addLayer(L.polyline([[i * step, west], [i * step, east]], options));
        if (map.latLngToContainerPoint([i * step, east]).y > 34) group.addLayer(label(i * step, east, text(i * step, "NS"), [74, 14]));
      }
    }
    map.on("moveend", draw);
    draw();
  }

  const Readout = L.Control.extend({
    options: { position: "bottomright" },
    onAdd(map) {
      const box = L.DomUtil.create("div", "readout");
      box.hidden = true;
      map.on("mousemove", (event) => {
        box.hidden = false;
        box.textContent = coordinates(event.latlng.lat, event.latlng.lng);
      });
      map.on("mouseout", () => (box.hidden = true));
      return box;
    },
  });

  function choose(article, rank, live) {
    for (const card of article.querySelectorAll(".match")) {
      const chosen = Number(card.dataset.rank) === rank;
      card.setAttribute("aria-pressed", String(chosen));
      if (!chosen) continue;
      const compare = article.querySelector(".compare");
      const [image, absent, source] = [compare.querySelector("img"), compare.querySelector(".absent"), card.querySelector("img")];
      image.hidden = !source;
      if (absent) absent.hidden = Boolean(source);
      if (source) [image.src, image.alt] = [source.src, source.alt];
      compare.querySelector(".compare-rank").textContent = String(rank);
      compare.querySelector(".compare-note").textContent = card.dataset.note;
    }
    if (live) live.mark(rank);
  }

  function views(data) {
    // Beyond these there is no more map to look at.
    const clamp = (value, reach) => Math.min(Math.max(value, -reach), reach);
    const limit = Math.abs(data.lat) > 84 ? 90 : 78;
    const at = ([lat, lon]) => [clamp(lat, limit), near(lon, data.lon)];
    const centre = [data.lat, data.lon];
    const rings = data.circles.flatMap((circle) => circle.rings.flat()).map(([lat, lon]) => [clamp(lat, limit), data.lon + clamp(lon - data.lon, 170)]);
    const exif = data.exif ? [at(data.exif)] : [];
    const all = data.matches.map(at);
    const corners = (squares) => squares.flat().map(at);
    const around = (points) => L.latLngBounds([centre, ...points]);
    return {
      evidence: around([...rings, ...all.slice(0, 1), ...corners(data.squares.slice(0, 1)), ...exif]),
      matches: around([...all, ...corners(data.squares), ...exif]),
      world: L.latLngBounds([[-58, data.lon - 170], [75, data.lon + 170]]),
    };
  }

  function start(box) {
    const data = maps[Number(box.dataset.map)];
    const article = box.closest("article");
    const still = box.querySelector(".still-map");
    const element = L.DomUtil.create("div", "live-map", box);
    const polar = Math.abs(data.lat) > 84; // Mercator ends there
    const map = L.map(element, {
      crs: polar ? L.CRS.EPSG4326 : L.CRS.EPSG3857, minZoom: 0, maxZoom: 21, zoomSnap: 0.5, worldCopyJump: false,
      attributionControl: false, scrollWheelZoom: true,
    });
    const bounds = views(data);
    const fit = (name) => map.fitBounds(bounds[name], { padding: [36, 36], maxZoom: 18, animate: false });
    fit("evidence");
    addOutlines(map);
    addGraticule(map);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
    new Readout().addTo(map);

    const estimateColour = style("--estimate");
    for (const circle of data.circles) {
      L.polygon(circle.rings, { color: estimateColour, weight: 1.2, fillOpacity: 0.08, smoothFactor: 0.2, className: `radius-${circle.share}` })
        .bindTooltip(`${circle.share} % of the evidence within ${circle.text}`, { sticky: true }).addTo(map);
    }
    const mark = ([lat, lon], className, size, tip) =>
      L.marker([lat, near(lon, data.lon)], { icon: L.divIcon({ className, iconSize: [size, size] }), alt: tip, zIndexOffset: -1000 })
        .bindTooltip(tip, { direction: "top", offset: [0, -size / 2] }).addTo(map);
    // The best last, on top.
    const squares = data.squares.map((ring, index) =>
      L.polygon(ring, { color: style("--match"), weight: index ? 1 : 2, fillOpacity: 0.05, className: "patch" })
        .bindTooltip(`Match ${index + 1}: the patch`, { sticky: true })
        .on("click", () => (index < data.shown ? choose(article, index + 1, live) : null)));
    [...squares].reverse().forEach((square) => square.addTo(map));
    const pins = [];
    data.matches.forEach(([lat, lon], index) => {
      const rank = index + 1;
      const where = [lat, near(lon, data.lon)];
      const tip = `Match ${rank}: ${coordinates(lat, lon)}`;
      if (rank > data.shown) {
        L.circleMarker(where, { radius: 3.5, weight: 1, color: "#fff", fillColor: style("--match"), fillOpacity: 0.7, className: "marker-match-small" }).bindTooltip(tip).addTo(map);
        return;
      }
      const icon = L.divIcon({ className: "pin marker-match", html: String(rank), iconSize: [22, 22] });
      const pin = L.marker(where, { icon, alt: tip, title: "", riseOnHover: true, zIndexOffset: 100 * (data.shown - index) });
      pin.bindTooltip(tip, { direction: "top", offset: [0, -10] }).addTo(map);
      pin.on("click keypress", (event) => event.type === "click" || event.originalEvent.key === "Enter" ? choose(article, rank, live) : null);
      pins.push(pin);
    });
    if (data.exif) {
      mark(data.exif, "exif-pin marker-exif", 20, `EXIF: ${coordinates(data.exif[0], data.exif[1])}`);
    }
    mark([data.lat, data.lon], "target marker-estimate", 36, `Estimate: ${coordinates(data.lat, data.lon)}`);

    const live = {
      fit,
      mark(rank) {
        squares.forEach((square, index) => {
          square.getElement().classList.toggle("chosen", index + 1 === rank);
          if (index + 1 === rank) square.bringToFront();
        });
        pins.forEach((pin, index) => {
          const chosen = index + 1 === rank;
          pin.getElement().classList.toggle("chosen", chosen);
          pin.setZIndexOffset(chosen ? 9999 : 100 * (data.shown - index));
          if (chosen && !map.getBounds().pad(-0.05).contains(pin.getLatLng())) map.fitBounds(map.getBounds().extend(pin.getLatLng()), { padding: [36, 36], animate: false });
        });
      },
      stop() {
        map.remove();
        element.remove();
        still.style.visibility = "";
      },
    };
    still.style.visibility = "hidden";
    return live;
  }

  const alive = new Map();
  function waken(box) {
    let live = alive.get(box);
    if (!live) {
      live = start(box);
    } else {
      alive.delete(box); // put back as the most recent
    }
    alive.set(box, live);
    if (alive.size > ALIVE) {
      const [oldest, its] = alive.entries().next().value;
      its.stop();
      alive.delete(oldest);
    }
    return live;
  }

  const boxes = [...document.querySelectorAll(".map[data-map]")];
  const watcher = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => waken(entry.target)), { rootMargin: "300px" });
  for (const box of boxes) {
    const article = box.closest("article");
    const tools = article.querySelector(".buttons");
    tools.hidden = false;
    for (const button of tools.querySelectorAll("button")) button.addEventListener("click", () => waken(box).fit(button.dataset.view));
    for (const card of article.querySelectorAll(".match")) card.addEventListener("click", () => choose(article, Number(card.dataset.rank), waken(box)));
    watcher.observe(box);
  }

  function copied(button, text) {
    const before = button.textContent;
    button.textContent = text;
    setTimeout(() => (button.textContent = before), 1500);
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        copied(button, "Copied");
      } catch {
        // No clipboard for this page: select the text, so that one key copies it.
        getSelection().selectAllChildren(button.parentElement.querySelector(".place"));
        copied(button, "Press Ctrl+C");
      }
    });
  }
})();
