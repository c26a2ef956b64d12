"""Tests a server of the sample county with OWSLib and a newer GDAL (pyogrio) as clients: clients.py URL"""
import sys
from urllib.request import urlopen

import pyogrio
from owslib.ogcapi.features import Features

url = sys.argv[1] + "/ogc"

service = Features(url)
conformance = service.conformance()["conformsTo"]
assert any(name.endswith("ogcapi-features-3/1.0/conf/features-filter") for name in conformance)
assert len(service.feature_collections()) == 22, service.feature_collections()
assert service.api()["openapi"].startswith("3.0")
assert "capacity" in service.collection_queryables("shelters")["properties"]
page = service.collection_items("shelters", limit=10)
assert page["numberMatched"] == 349 and page["numberReturned"] == 10
assert service.collection_items("shelters", filter="capacity >= 300")["numberMatched"] < 349
first = page["features"][0]
assert service.collection_item("shelters", first["id"])["properties"] == first["properties"]

print("OWSLib", "GDAL", ".".join(map(str, pyogrio.__gdal_version__)))
layers = [name for name, _ in pyogrio.list_layers(f"OAPIF:{url}")]
assert len(layers) == 22, layers
for layer, count in [("shelters", 349), ("hazards", 1850), ("townships", 16)]:
    meta, _, geometry, _ = pyogrio.raw.read(f"OAPIF:{url}", layer=layer, PAGE_SIZE="500")
    assert len(geometry) == count, (layer, len(geometry))
box = (118.8, 26.15, 118.95, 26.3)
_, _, inside, _ = pyogrio.raw.read(f"OAPIF:{url}", layer="shelters", bbox=box)
_, _, filtered, _ = pyogrio.raw.read(f"OAPIF:{url}", layer="shelters", where="capacity >= 300")
west, south, east, north = box
expected = service.collection_items("shelters", bbox=list(box), limit=1)["numberMatched"]
assert len(inside) == expected > 0, (len(inside), expected)
expected = service.collection_items("shelters", filter="capacity >= 300", limit=1)["numberMatched"]
assert len(filtered) == expected > 0, (len(filtered), expected)

# GDAL finds the reference system and the times of JSON-FG.
with urlopen(f"{url}/collections/warnings/items?f=jsonfg&crs=http://www.opengis.net/def/crs/EPSG/0/4549") as reply:
    warnings = pyogrio.read_info(reply.read())
assert (warnings["driver"], warnings["crs"]) == ("JSONFG", "EPSG:4549"), warnings
assert {"time_start", "time_end"} <= set(warnings["fields"]) and warnings["features"] > 0, warnings

# The same features in tiles, through the links of OGC API Tiles.
tiles = f"OGCAPI:{url}/collections/shelters"
assert len(pyogrio.list_layers(tiles)) == 16
_, _, drawn, _ = pyogrio.raw.read(tiles, layer="Zoom level 12", API="TILES")
assert len(drawn) == 349, len(drawn)
