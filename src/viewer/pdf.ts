// An image of the map as a PDF of one page; loaded when it is first needed.
import { PDFDocument } from "@cantoo/pdf-lib";

/** A4, points. */
const [SHORT, LONG] = [595.28, 841.89];
/** 10 mm, points. */
const MARGIN = 28.35;

/** A page of A4, portrait or landscape as the image is, with the image as large as it fits. */
export async function pdfOf(jpeg: Blob, title: string): Promise<Blob> {
  const file = await PDFDocument.create();
  file.setTitle(title, { showInWindowTitleBar: true });
  file.setCreator("onemap");
  file.setLanguage("zh-CN");
  const image = await file.embedJpg(await jpeg.arrayBuffer());
  const size: [number, number] = image.width >= image.height ? [LONG, SHORT] : [SHORT, LONG];
  const drawn = image.scaleToFit(size[0] - 2 * MARGIN, size[1] - 2 * MARGIN);
  file.addPage(size).drawImage(image, { x: (size[0] - drawn.width) / 2, y: (size[1] - drawn.height) / 2, ...drawn });
  return new Blob([(await file.save()) as Uint8Array<ArrayBuffer>], { type: "application/pdf" });
}
