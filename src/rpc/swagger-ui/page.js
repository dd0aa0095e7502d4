/* global SwaggerUIBundle -- from swagger-ui-bundle.js */
SwaggerUIBundle({
  url: "/v3/api-docs",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  defaultModelExpandDepth: 3,
  defaultModelsExpandDepth: 0,
  // Nothing is asked of another host, not even whether the document is valid.
  validatorUrl: null,
});
