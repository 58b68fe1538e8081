const options = {
  actions: false,
  renderer: "svg",
  config: {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis: {
      labelColor: "currentColor", titleColor: "currentColor", titleFontWeight: "normal",
      domainColor: "currentColor", tickColor: "currentColor", gridColor: "currentColor",
      gridOpacity: 0.15, labelFontSize: 12, titleFontSize: 12, labelLimit: 200,
    },
    legend: {
      labelColor: "currentColor", titleColor: "currentColor", titleFontWeight: "normal",
      labelFontSize: 12, titleFontSize: 12, orient: "bottom", columns: 5, labelLimit: 0,
    },
    title: { color: "currentColor", fontWeight: "normal" },
    view: { stroke: "transparent" },
  },
};
for (const chart of document.querySelectorAll(".chart")) {
  vegaEmbed(chart, JSON.parse(chart.nextElementSibling.textContent), options);
}
