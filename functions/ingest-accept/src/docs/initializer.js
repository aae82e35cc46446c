// Shows Alioth's own document; asks nobody elsewhere about it.
window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    validatorUrl: "none",
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: "StandaloneLayout",
  });
};
