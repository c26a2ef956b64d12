// Saves a file that was made in the browser or fetched from the server.
import { element } from "./element";

export function saveFile(content: Blob, name: string): void {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
