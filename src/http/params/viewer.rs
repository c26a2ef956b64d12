//! Parameters of the viewer, which the page reads itself.

use crate::http::params::param::{Choice, Count, Numbers, Param};
use crate::http::params::spec;

pub(crate) static VIEWER: &[&dyn Param] = &[&spec::LANG, &WALL, &TOUR, &THEME, &EMBED, &VIEW, &spec::LAYERS];

static WALL: Choice = Choice { name: "wall", about: "1 shows the layout for wall screens", values: &["0", "1"] };

static EMBED: Choice = Choice {
    name: "embed",
    about: "1 shows the map without header and panels, for use in another page",
    values: &["0", "1"],
};
static VIEW: Numbers = Numbers {
    name: "view",
    about: "What the map shows at first: longitude, latitude and zoom",
    example: &[118.86, 26.22, 12.5],
    min_items: 3,
    max_items: 3,
    above: None,
    max: None,
    accepted: "LON,LAT,ZOOM, such as 118.86,26.22,12.5",
    required: false,
};
static THEME: Choice = Choice {
    name: "theme",
    about: "Colours of the page; without it those that the browser prefers",
    values: &["light", "dark"],
};
static TOUR: Count = Count {
    name: "tour",
    about: "With wall=1: seconds at each running incident and warning; 0 for no tour",
    example: 30,
    min: 0,
    max: 3_600,
    default: None,
    capped: false,
};
