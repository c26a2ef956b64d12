// Moves the map to the position of the device and queries the nearest resources; only that query sends the position to the server.
import type { Map } from "maplibre-gl";
import { part } from "./element";
import { say } from "./language";
import { noticeWith, settle } from "./notices";

const CLOSE_UP_ZOOM = 15;
const TIMEOUT_MS = 20_000;
/** A position that is not older is good enough. */
const MAX_AGE_MS = 30_000;

/** @param onFound gets the position, degrees */
export function startLocate(map: Map, onFound: (lon: number, lat: number) => void): void {
  const button = part<HTMLButtonElement>("locate");
  button.addEventListener("click", () => {
    settle("locate");
    const failed = () => {
      button.removeAttribute("aria-busy");
      noticeWith("locate", "locateFailed", [{ word: "understood", act: () => settle("locate") }]);
    };
    // Absent where the page is not secure.
    if (!("geolocation" in navigator)) return failed();
    button.setAttribute("aria-busy", "true");
    button.title = say("locating");
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      button.removeAttribute("aria-busy");
      button.title = say("locateMe");
      map.jumpTo({ center: [coords.longitude, coords.latitude], zoom: Math.max(map.getZoom(), CLOSE_UP_ZOOM) });
      onFound(coords.longitude, coords.latitude);
    }, failed, { enableHighAccuracy: true, timeout: TIMEOUT_MS, maximumAge: MAX_AGE_MS });
  });
}
