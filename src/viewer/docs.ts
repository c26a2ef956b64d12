// Shows the API description; all its files are part of the build.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";

SwaggerUI({ url: "openapi.json", dom_id: "#docs", deepLinking: true, docExpansion: "list", validatorUrl: null, defaultModelsExpandDepth: 0 });
