//! Converts rows of a file to features of a layer, and reports refused rows.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use geo::{Intersects, MapCoords};
use serde_json::Value as Json;

use super::fault::Fault;
use super::matching::ColumnMatch;
use super::reader::{Defect, Reader, Spelling, check_place};
use super::{Record, Unreadable};
use crate::geodesy::crs::{Crs, CrsError};
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::distance::distance_m;
use crate::geodesy::{Envelope, LonLat};
use crate::model::catalog::CodeValue;
use crate::model::{Catalog, Feature, FeatureId, LayerSchema, Shape, Value};

/// Points of the same name that are nearer are probably the same feature, metres.
const TWIN_DISTANCE_M: f64 = 20.0;
/// More than that distance in degrees of latitude.
const TWIN_DEGREES: f64 = 0.000_2;
/// Pairs that are told at the most.
const MAX_TWINS: usize = 1_000;
/// Features among which twins are searched.
const MAX_TWIN_FEATURES: usize = 200_000;
/// Rows whose defects are kept; more are counted.
pub const MAX_ISSUES: usize = 100_000;

/// Options of an import.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Reference system of the coordinates.
    pub crs: Crs,
    /// Fields (or `id`) and the columns that fill them; other fields use the column of the same name.
    pub columns: Vec<ColumnMatch>,
    /// Value of the field `source` if the file has none.
    pub source: String,
    /// Prefix of generated ids.
    pub id_prefix: String,
    /// Value of `updated_at` if the file has none.
    pub now: time::UtcDateTime,
    /// Whether features far outside the county are accepted.
    pub anywhere: bool,
    /// Whether a row without a name is refused.
    pub needs_name: bool,
    /// Whether a row without a place is refused.
    pub needs_place: bool,
}

/// An area of danger.
#[derive(Clone, Debug)]
pub struct DangerZone {
    /// Its name.
    pub name: String,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its outline in WGS 84 longitude, latitude.
    pub area: geo::Geometry,
}

impl DangerZone {
    /// The area of a feature of a layer of zones; `None` without a geometry, and at the lowest level of risk, in which most
    /// of a county is.
    #[must_use]
    pub fn of(catalog: &Catalog, schema: &LayerSchema, zone: &Feature) -> Option<Self> {
        let area = zone.geometry.as_ref()?.geometry().clone();
        let label = |field: &str| {
            let at = schema.position(field)?;
            let codes = catalog.codes.get(schema.fields[at].codes.as_ref()?)?;
            let code = match zone.values.get(at)? {
                Value::Text(code) => CodeValue::Text(code.clone()),
                Value::Integer(code) => CodeValue::Integer(*code),
                _ => return None,
            };
            codes.iter().find(|own| own.code == code).map(|own| own.label.zh.clone())
        };
        let role = schema.roles.zone.as_ref()?;
        let level = schema.position(&role.level)?;
        let lowest = schema.fields[level].codes.as_ref().and_then(|codes| catalog.codes.get(codes)?.last());
        if let (Value::Integer(level), Some(lowest)) = (&zone.values[level], lowest)
            && lowest.code == CodeValue::Integer(*level)
        {
            return None;
        }
        let labels: Vec<String> = [&role.hazard, &role.level].into_iter().filter_map(|field| label(field)).collect();
        let name = format!("{} {} ({})", schema.title.zh, zone.id, labels.join(", "));
        Some(Self { name, envelope: Envelope::around(&area)?, area })
    }
}

/// Why a row was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RowIssue {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line of the file, for text formats.
    pub line: Option<usize>,
    /// The column or `geometry`, if one is the cause.
    pub field: Option<String>,
    /// The value in the file, shortened; empty for a sensitive field.
    pub value: Option<String>,
    /// The kind of the reason.
    pub fault: Fault,
    /// The reason.
    pub reason: String,
}

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Rows read.
    pub read: usize,
    /// Whether the rest of the file could not be read; nothing is imported then.
    pub is_cut: bool,
    /// Rows accepted.
    pub taken: usize,
    /// Number of refused rows.
    pub refused_count: usize,
    /// The first refused rows, each with its first defect; at most [`MAX_ISSUES`].
    pub refused: Vec<RowIssue>,
    /// Accepted rows with something to look at; at most [`MAX_ISSUES`].
    pub warnings: Vec<RowIssue>,
    /// Rows without an id, which received a generated one.
    pub numbered: usize,
    /// Columns without a matching field, with the number of rows that have a value in them.
    pub ignored_columns: BTreeMap<String, usize>,
    /// Fields with a matching column.
    pub matched: BTreeSet<String>,
    /// Accepted rows without a geometry.
    pub placeless: usize,
    /// Features that probably are the same one.
    pub twins: Vec<Twin>,
}

/// Features with one name at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Their name.
    pub name: String,
    /// Their ids.
    pub ids: Vec<String>,
}

/// Points of the same name less than 20 m apart.
fn twins(named: &[(String, FeatureId, LonLat)]) -> Vec<Twin> {
    let mut by_name: BTreeMap<&str, Vec<(&FeatureId, LonLat)>> = BTreeMap::new();
    for (name, id, at) in named {
        by_name.entry(name).or_default().push((id, *at));
    }
    let mut found = Vec::new();
    for (name, mut named) in by_name {
        named.sort_by(|(_, a), (_, b)| a.lat().total_cmp(&b.lat()));
        for (index, (id, at)) in named.iter().enumerate() {
            let near = named[index + 1..].iter().take_while(|(_, other)| other.lat() - at.lat() < TWIN_DEGREES);
            let twins = near.filter(|(_, other)| distance_m(*at, *other) < TWIN_DISTANCE_M);
            found.extend(
                twins
                    .map(|(other, _)| Twin { name: name.to_owned(), ids: [id, other].map(ToString::to_string).into() }),
            );
            if found.len() >= MAX_TWINS {
                return found;
            }
        }
    }
    found
}

/// Converts records to features of one layer and collects the report.
pub struct Importer<'a> {
    catalog: &'a Catalog,
    schema: &'a LayerSchema,
    reader: Reader<'a>,
    rules: Rules,
    transform: CrsTransform,
    /// Hashes of the ids so far: of millions of rows the ids would not fit into memory.
    seen: HashSet<u128>,
    named: Vec<(String, FeatureId, LonLat)>,
    name_field: Option<usize>,
    check: Option<FeatureCheck>,
    danger_zones: Vec<DangerZone>,
    report: Report,
}

/// Why a feature may not be imported, if it may not.
pub type FeatureCheck = Box<dyn Fn(&Feature) -> Result<(), (Fault, String)> + Send>;

struct Refusal {
    field: Option<String>,
    value: Option<String>,
    fault: Fault,
    reason: String,
}

impl Refusal {
    fn of(field: &str, value: &impl ToString, fault: Fault, reason: &impl ToString) -> Self {
        const SHOWN_CHARS: usize = 80;
        let value = value.to_string();
        let shown = if value.chars().count() > SHOWN_CHARS {
            value.chars().take(SHOWN_CHARS).chain(['…']).collect()
        } else {
            value
        };
        Self { field: Some(field.to_owned()), value: Some(shown), fault, reason: reason.to_string() }
    }
}

impl<'a> Importer<'a> {
    /// Creates an importer for a layer.
    ///
    /// # Errors
    /// When the reference system is not usable.
    pub fn new(catalog: &'a Catalog, schema: &'a LayerSchema, rules: Rules) -> Result<Self, CrsError> {
        let transform = CrsTransform::new(rules.crs.clone())?;
        let reader = Reader::new(catalog, schema, Spelling::Table);
        let name_field = schema.position("name");
        Ok(Self {
            catalog,
            schema,
            reader,
            rules,
            transform,
            seen: HashSet::new(),
            named: Vec::new(),
            name_field,
            check: None,
            danger_zones: Vec::new(),
            report: Report::default(),
        })
    }

    /// Refuses rows whose features do not pass a check.
    pub fn check_features(&mut self, check: FeatureCheck) {
        self.check = Some(check);
    }

    /// Warns of features inside these areas.
    pub fn warn_inside(&mut self, zones: Vec<DangerZone>) {
        self.danger_zones = zones;
    }

    /// Converts one row; `None` if it is refused, with the reason in the report.
    pub fn take(&mut self, record: Result<Record, Unreadable>) -> Option<Feature> {
        self.report.read += 1;
        let (row, line, outcome) = match record {
            Ok(record) => (record.row, record.line, self.feature(&record).and_then(|feature| self.checked(feature))),
            Err(bad) => {
                self.report.is_cut |= bad.is_end;
                (
                    bad.row,
                    bad.line,
                    Err(Refusal { field: None, value: None, fault: Fault::Unreadable, reason: bad.reason }),
                )
            }
        };
        match outcome {
            Ok(feature) => {
                self.report.taken += 1;
                self.note(&feature, row, line);
                Some(feature)
            }
            Err(Refusal { field, value, fault, reason }) => {
                self.report.refused_count += 1;
                if self.report.refused.len() < MAX_ISSUES {
                    self.report.refused.push(RowIssue { row, line, field, value, fault, reason });
                }
                None
            }
        }
    }

    /// Notes what may be wrong with an accepted feature.
    fn note(&mut self, feature: &Feature, row: usize, line: Option<usize>) {
        let Some(at) = feature.geometry.as_ref().and_then(Shape::as_point) else { return };
        let name = self.name_field.and_then(|field| feature.values.get(field));
        if let Some(Value::Text(name)) = name.filter(|_| self.named.len() < MAX_TWIN_FEATURES) {
            self.named.push((name.clone(), feature.id.clone(), at));
        }
        let is_around = |zone: &&DangerZone| {
            zone.envelope.intersects(&at.into()) && zone.area.intersects(&geo::Point::new(at.lon(), at.lat()))
        };
        if let Some(zone) = self.danger_zones.iter().find(is_around)
            && self.report.warnings.len() < MAX_ISSUES
        {
            let (field, value) = (Some("geometry".to_owned()), Some(format!("{},{}", at.lon(), at.lat())));
            let (fault, reason) =
                (Fault::InsideDanger { area: zone.name.clone() }, format!("it is inside {}", zone.name));
            self.report.warnings.push(RowIssue { row, line, field, value, fault, reason });
        }
    }

    /// The report on the rows so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report on the rows so far.
    #[must_use]
    pub fn into_report(self) -> Report {
        Report { twins: twins(&self.named), ..self.report }
    }

    fn checked(&self, feature: Feature) -> Result<Feature, Refusal> {
        let refusal = |(fault, reason)| Refusal { field: None, value: Some(feature.id.to_string()), fault, reason };
        self.check.as_ref().map_or(Ok(()), |check| check(&feature)).map_err(refusal)?;
        Ok(feature)
    }

    fn feature(&mut self, record: &Record) -> Result<Feature, Refusal> {
        self.note_columns(record);
        let geometry = record.geometry.as_ref().map(|geometry| self.shape(geometry)).transpose()?;
        if geometry.is_none() && self.rules.needs_place {
            let reason = "it has no place, so that it would not be on the map".to_owned();
            return Err(Refusal { field: Some("geometry".to_owned()), value: None, fault: Fault::NoPlace, reason });
        }
        let id = self.id(record)?;
        let mut values = Vec::with_capacity(self.schema.fields.len());
        for field in &self.schema.fields {
            let column = self.column(&field.name);
            let json = record.properties.get(column).unwrap_or(&Json::Null);
            let refusal = |Defect { fault, reason, accepted }: Defect| {
                if field.sensitive {
                    let reason = format!("invalid value (sensitive, not shown); accepted: {accepted}");
                    return Refusal { field: Some(column.to_owned()), value: None, fault, reason };
                }
                Refusal::of(column, json, fault, &format!("{reason}; accepted: {accepted}"))
            };
            let value = self.reader.value(field, json).map_err(refusal)?;
            values.push(if value.is_unknown() { self.default_value(&field.name) } else { value });
        }
        if let Err(over) = self.schema.check_capacity(&values) {
            let column = self.column(&self.schema.fields[over.field].name);
            return Err(Refusal::of(column, &over.people, Fault::OverCapacity, &over));
        }
        let is_nameless = self.name_field.is_some_and(|field| values[field].is_unknown());
        if is_nameless && self.rules.needs_name {
            let reason = "it has no name".to_owned();
            let field = Some(self.column("name").to_owned());
            return Err(Refusal { field, value: None, fault: Fault::NoName, reason });
        }
        self.report.placeless += usize::from(geometry.is_none());
        self.seen.insert(hash_of(&id));
        Ok(Feature { id, geometry, values })
    }

    fn column<'b>(&'b self, field: &'b str) -> &'b str {
        self.rules.columns.iter().find(|own| own.field == field).map_or(field, |own| &own.column)
    }

    fn default_value(&self, field: &str) -> Value {
        match field {
            "source" => Value::Text(self.rules.source.clone()),
            "updated_at" => Value::DateTime(self.rules.now),
            "version" => Value::Integer(1),
            _ => Value::Unknown,
        }
    }

    fn id(&mut self, record: &Record) -> Result<FeatureId, Refusal> {
        let column = self.column("id");
        let given = match record.properties.get(column) {
            Some(Json::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(Json::Number(number)) => Some(number.to_string()),
            _ => record.id.clone(),
        };
        let text = given.clone().unwrap_or_else(|| format!("{}-{}", self.rules.id_prefix, record.row));
        let id = FeatureId::new(&text).map_err(|error| Refusal::of(column, &text, Fault::InvalidId, &error))?;
        if self.seen.contains(&hash_of(&id)) {
            let reason = "another row of the file has the same id";
            return Err(Refusal::of(column, &text, Fault::DuplicateId, &reason));
        }
        if given.is_none() {
            self.report.numbered += 1;
        }
        Ok(id)
    }

    fn shape(&self, geometry: &geo::Geometry) -> Result<Shape, Refusal> {
        let converted = geometry.try_map_coords(|coord| {
            let at: LonLat = self.transform.position(coord.x, coord.y).map_err(|error| {
                Refusal::of("geometry", &format!("{},{}", coord.x, coord.y), Fault::NoPosition, &error)
            })?;
            Ok(geo::Coord { x: at.lon(), y: at.lat() })
        })?;
        let refusal =
            |fault, reason: String| Refusal { field: Some("geometry".to_owned()), value: None, fault, reason };
        let shape = self.reader.shape(converted).map_err(|defect| refusal(defect.fault, defect.reason))?;
        if !self.rules.anywhere {
            check_place(&self.catalog.county, &shape).map_err(|Defect { fault, reason, accepted }| {
                refusal(fault, format!("{reason}; accepted: {accepted}, or any position with --anywhere"))
            })?;
        }
        Ok(shape)
    }

    fn note_columns(&mut self, record: &Record) {
        for (name, value) in &record.properties {
            let field = self.schema.fields.iter().find(|field| self.column(&field.name) == name);
            let empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
            if let Some(field) = field {
                if !self.report.matched.contains(&field.name) {
                    self.report.matched.insert(field.name.clone());
                }
            } else if self.column("id") != name && !empty {
                *self.report.ignored_columns.entry(name.clone()).or_default() += 1;
            }
        }
    }
}

fn hash_of(id: &FeatureId) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
