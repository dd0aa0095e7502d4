/* global SwaggerUIBundle -- from swagger-ui-bundle.js */
const STREAM_CONTENT = ["requestBody", "content", "application/connect+json"];

/** Streams get no "Try it out": their messages are in envelopes, which the page can't make. */
const noTryingOutOfStreams = () => ({
  statePlugins: {
    spec: {
      wrapSelectors: {
        allowTryItOutFor:
          (_, { specSelectors }) =>
          (_state, path, method) =>
            !specSelectors.specJson().hasIn(["paths", path, method, ...STREAM_CONTENT]),
      },
    },
  },
});

SwaggerUIBundle({
  url: "/v3/api-docs",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  defaultModelExpandDepth: 3,
  defaultModelsExpandDepth: 0,
  plugins: [noTryingOutOfStreams],
  // Nothing is asked of another host, not even whether the document is valid.
  validatorUrl: null,
});
