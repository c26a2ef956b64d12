//! Parameters of travel on roads.

use super::param::{Choice, Count, Decimal, Numbers};

pub(crate) static BY: Choice = Choice {
    name: "by",
    about: "How near is measured: line is the straight line; road is the travel time by vehicle on open roads, walk on foot",
    values: &["line", "road", "walk"],
};
pub(crate) static TRAVEL: Choice =
    Choice { name: "by", about: "Travel by vehicle or on foot", values: &["road", "walk"] };
pub(crate) static MAX_MINUTES: Count = Count {
    name: "max_minutes",
    about: "With by=road or walk: longest travel time, minutes",
    example: 30,
    min: 1,
    max: 1_440,
    default: None,
    capped: false,
};
pub(crate) static MINUTES: Numbers = Numbers {
    name: "minutes",
    about: "Travel times, minutes; an area for each",
    example: &[10.0, 20.0, 30.0],
    min_items: 1,
    max_items: 6,
    above: Some(0.0),
    max: Some(240.0),
    accepted: "up to 6 times in minutes above 0 and up to 240, such as 10,20,30",
    required: false,
};
pub(crate) static DIRECTION: Choice = Choice {
    name: "direction",
    about: "Travel from the position (outward, as people) or to it (inward, as teams)",
    values: &["outward", "inward"],
};

pub(crate) static VEHICLE_HEIGHT_M: Decimal = Decimal {
    name: "vehicle_height_m",
    about: "Height of the vehicle, metres: roads with a lower limit count as closed",
    unit: "metres",
    example: 3.8,
    max: 10.0,
    default: None,
};
pub(crate) static VEHICLE_WIDTH_M: Decimal = Decimal {
    name: "vehicle_width_m",
    about: "Width of the vehicle, metres: roads with a lower limit count as closed",
    unit: "metres",
    example: 2.5,
    max: 10.0,
    default: None,
};
pub(crate) static VEHICLE_WEIGHT_T: Decimal = Decimal {
    name: "vehicle_weight_t",
    about: "Weight of the loaded vehicle, tonnes: roads with a lower limit count as closed",
    unit: "tonnes",
    example: 18.0,
    max: 200.0,
    default: None,
};
