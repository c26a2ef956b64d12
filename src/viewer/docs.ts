// Shows the API description; all its files are part of the build.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import "./docs_colours.css";

SwaggerUI({
  url: "openapi.json", dom_id: "#docs", docExpansion: "list", validatorUrl: null, defaultModelsExpandDepth: 0,
  // With links to operations, a link would lie inside the button that unfolds an operation.
  deepLinking: false,
  onComplete: completeRoles,
});

/** Names and levels that the library leaves out. */
function completeRoles(): void {
  const set = (selector: string, attributes: Record<string, string>) => {
    for (const found of document.querySelectorAll(selector)) for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  };
  set("#servers", { "aria-label": "服务器 Server" });
  set(".information-container", { role: "region", "aria-label": "说明 About" });
  set(".scheme-container", { role: "region", "aria-label": "服务器与登录 Server and sign-in" });
  set("h3.opblock-tag", { "aria-level": "2" });
  set(".models h4", { "aria-level": "2" });
}
