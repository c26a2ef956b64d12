//! Parameters of a request for the features of a collection: selection, order and representation.

use serde_json::{Value as Json, json};

use crate::exchange::{value_from_json, write_value};
use crate::geodesy::reference::Region;
use crate::http::call::Call;
use crate::http::ogc::schemas::is_sortable;
use crate::http::params::crs::RequestCrs;
use crate::http::params::filters::filter;
use crate::http::params::{QueryParams, invalid, spec};
use crate::http::reply::problem::Problem;
use crate::model::{
    Field, FieldType, LayerSchema, Shape, ShapeError, Value, ValueRef, View, format_date, format_instant,
    parse_time_span,
};
use crate::query::cursor::Cursor;
use crate::query::filter::{Filter, Language};
use crate::query::items::{ItemsRegion, Order, PageRequest, Start};

/// The query, and the representation of its reply.
pub(crate) struct ItemsQuery<'a> {
    pub(crate) parameters: QueryParams,
    pub(crate) view: View<'a>,
    pub(crate) page_request: PageRequest,
    /// The reference system of the answer.
    pub(crate) frame: RequestCrs,
    pub(crate) with_geometry: bool,
}

impl<'a> ItemsQuery<'a> {
    /// # Errors
    /// When a parameter cannot be understood.
    pub(crate) fn read(call: &Call<'_>, schema: &'a LayerSchema) -> Result<Self, Problem> {
        let parameters = call.params.clone();
        let view = call.caller.view(schema);
        let reading = ItemsParamsReader { parameters: &parameters, view: &view };
        let order = reading.order()?;
        let page_request = PageRequest {
            region: reading.region()?,
            filters: reading.filters()?,
            start: reading.start(&order)?,
            order,
            limit: parameters.count(&spec::ITEMS_LIMIT)?.map_or(usize::MAX, |limit| limit as usize),
        };
        let with_geometry = !parameters.flag(&spec::SKIP_GEOMETRY)?;
        let frame = RequestCrs::at_address(&parameters, &spec::REPLY_CRS)?;
        let view = shown_view(&parameters, view.clone())?;
        Ok(Self { parameters, view, page_request, frame, with_geometry })
    }

    /// Whether the request names a limit.
    pub(crate) fn has_limit(&self) -> bool {
        self.parameters.get(&spec::ITEMS_LIMIT).is_some()
    }
}

/// The view limited to the parameter `properties`; all of it without the parameter.
///
/// # Errors
/// When a name is none of the view's properties.
pub(crate) fn shown_view<'a>(parameters: &QueryParams, view: View<'a>) -> Result<View<'a>, Problem> {
    if parameters.get(&spec::PROPERTIES).is_none() {
        return Ok(view);
    }
    let names = parameters.list(&spec::PROPERTIES)?;
    let reading = ItemsParamsReader { parameters, view: &view };
    for name in &names {
        reading.field("properties", name)?;
    }
    Ok(view.clone().limited_to(&names))
}

/// The filters that parameters of a tile stand for: `filter`, `datetime`, `ids`.
///
/// # Errors
/// When a parameter cannot be understood, or the layer has no such property.
pub(crate) fn filters_of(parameters: &QueryParams, view: &View<'_>) -> Result<Vec<Filter>, Problem> {
    ItemsParamsReader { parameters, view }.filters()
}

struct ItemsParamsReader<'a, 'v> {
    parameters: &'a QueryParams,
    view: &'a View<'v>,
}

impl ItemsParamsReader<'_, '_> {
    fn region(&self) -> Result<Option<ItemsRegion>, Problem> {
        let frame = RequestCrs::at_address(self.parameters, &spec::BBOX_CRS)?;
        let Some(bent) = frame.bbox(self.parameters)? else { return Ok(None) };
        let refused = |error: ShapeError| {
            let given = self.parameters.get(&spec::BBOX).unwrap_or_default();
            invalid("bbox", given, &error.to_string(), "a box with an extent")
        };
        Ok(Some(match bent {
            Region::Box(envelope) => ItemsRegion::Box(envelope),
            Region::Area(area) => ItemsRegion::area(Shape::new(area.into()).map_err(refused)?),
        }))
    }

    /// The filter itself, then those that other parameters stand for.
    fn filters(&self) -> Result<Vec<Filter>, Problem> {
        let mut filters: Vec<Filter> = filter(self.parameters, self.view)?.into_iter().collect();
        if let Some(text) = self.parameters.get(&spec::DATETIME) {
            filters.extend(self.datetime(text)?);
        }
        if let Some(text) = self.parameters.get(&spec::SUBSET) {
            filters.extend(self.subset(text)?);
        }
        if let Some(text) = self.parameters.get(&spec::Q) {
            filters.push(self.search(text)?);
        }
        if self.parameters.get(&spec::IDS).is_some() {
            let ids = self.parameters.list(&spec::IDS)?;
            filters.push(self.composed("ids", &json!({"op": "in", "args": [{"property": "id"}, ids]}))?);
        }
        if let Some(id) = self.parameters.property("id") {
            filters.push(self.composed("id", &json!({"op": "=", "args": [{"property": "id"}, id]}))?);
        }
        for (_, field) in self.view.fields() {
            // What has the name of another parameter is that parameter.
            if let Some(text) = self.parameters.property(&field.name).filter(|_| !self.parameters.declares(&field.name))
            {
                filters.push(self.equals(field, text)?);
            }
        }
        Ok(filters)
    }

    fn composed(&self, name: &str, filter: &Json) -> Result<Filter, Problem> {
        let value = self.parameters.property(name).unwrap_or_default();
        Filter::read(&filter.to_string(), Language::Json, self.view)
            .map_err(|error| invalid(name, value, &error.to_string(), "a shorter value"))
    }

    /// `name=value`: the value itself, or one of a list's.
    fn equals(&self, field: &Field, text: &str) -> Result<Filter, Problem> {
        let property = json!({"property": field.name});
        if field.field_type == FieldType::Json {
            return Err(invalid(
                &field.name,
                text,
                "a document has no value to compare",
                "filter= with other properties",
            ));
        }
        if field.field_type == FieldType::TextList {
            return self.composed(&field.name, &json!({"op": "a_contains", "args": [property, [text]]}));
        }
        let refused = |reason: String| {
            invalid(&field.name, text, &reason, &format!("a value of type {}", field.field_type.name()))
        };
        let value = value_from_json(field, &json!(text)).map_err(refused)?;
        let literal = match &value {
            Value::Date(day) => json!({"date": format_date(*day)}),
            Value::DateTime(instant) => json!({"timestamp": format_instant(*instant)}),
            Value::Unknown => return self.composed(&field.name, &json!({"op": "isNull", "args": [property]})),
            other => json_of(other.as_value_ref()),
        };
        self.composed(&field.name, &json!({"op": "=", "args": [property, literal]}))
    }

    /// Features whose time shares an instant with an instant, a day or an interval of them. A day is the day in Beijing
    /// (UTC+08:00), as the days of the records are. Features without a time match too (OGC 17-069r4, requirement 25 C),
    /// so a layer without time is not filtered.
    fn datetime(&self, text: &str) -> Result<Option<Filter>, Problem> {
        const ACCEPTED: &str = "an instant with a zone such as 2026-08-14T10:00:00+08:00, a day such as 2026-08-14 \
                                (in Beijing), an interval FROM/TO of them, or one with an open end: ../TO, FROM/..";
        let refused = |detail: &str| invalid(spec::DATETIME.name, text, detail, ACCEPTED);
        let end = |part| if matches!(part, "" | "..") { None } else { Some(part) };
        let (from, to) = text.split_once('/').unwrap_or((text, text));
        self.time(spec::DATETIME.name, end(from), end(to), &refused)
    }

    /// The same by an axis: `datetime("INSTANT")` or `datetime("FROM":"TO")`, where an end may be `*` (OGC 20-057,
    /// /req/datetime/axis).
    fn subset(&self, text: &str) -> Result<Option<Filter>, Problem> {
        const ACCEPTED: &str = "datetime(\"INSTANT\"), or datetime(\"FROM\":\"TO\") where an end may be *, with instants \
                                as in datetime=";
        let refused = |detail: &str| invalid(spec::SUBSET.name, text, detail, ACCEPTED);
        let range = text.trim().strip_prefix("datetime(").and_then(|rest| rest.strip_suffix(')'));
        let range = range.ok_or_else(|| refused("it is not a range of the axis datetime"))?;
        // Times have colons too, but no quotation marks.
        let (from, to) = match range.split('"').collect::<Vec<_>>()[..] {
            ["", point, ""] => (Some(point), Some(point)),
            ["", from, ":", to, ""] => (Some(from), Some(to)),
            ["", from, ":*"] => (Some(from), None),
            ["*:", to, ""] => (None, Some(to)),
            _ => return Err(refused("it is not a range of quoted times")),
        };
        self.time(spec::SUBSET.name, from, to, &refused)
    }

    /// Features whose time shares an instant with the one between two times; `None` is an open end.
    fn time(
        &self,
        parameter: &'static str,
        from: Option<&str>,
        to: Option<&str>,
        refused: &dyn Fn(&str) -> Problem,
    ) -> Result<Option<Filter>, Problem> {
        let span = |part: Option<&str>| {
            let unreadable = || refused("it is no time with a zone, and no day, of the years 0000 to 9999");
            part.map(|part| parse_time_span(part).ok_or_else(unreadable)).transpose()
        };
        let (from, to) = (span(from)?, span(to)?);
        let (from, to) = (from.map(|(first, _)| first), to.map(|(_, last)| last));
        if from.is_none() && to.is_none() {
            return Err(refused("it has no end that is given"));
        }
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(refused("it ends before it begins"));
        }
        let Some(when) = &self.view.schema().roles.time else { return Ok(None) };
        let at = |instant| json!({"timestamp": format_instant(instant)});
        let is_unknown = |name: &str| json!({"op": "isNull", "args": [{"property": name}]});
        let unknown_or = |op: &str, name: &str, instant| {
            let compared = json!({"op": op, "args": [{"property": name}, at(instant)]});
            json!({"op": "or", "args": [is_unknown(name), compared]})
        };
        let mut parts: Vec<Json> = to.map(|to| unknown_or("<=", &when.start, to)).into_iter().collect();
        parts.extend(from.map(|from| unknown_or(">=", when.end.as_ref().unwrap_or(&when.start), from)));
        parts.push(json!(true));
        self.composed(parameter, &json!({"op": "and", "args": parts})).map(Some)
    }

    /// Features of which the id or a text has these words in it, in any case and with any accents.
    fn search(&self, text: &str) -> Result<Filter, Problem> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 100 {
            return Err(invalid("q", text, "it is empty or too long", "1 to 100 characters"));
        }
        let escaped: String =
            text.chars().flat_map(|c| "%_\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        let folded = |inner: Json| json!({"op": "accenti", "args": [{"op": "casei", "args": [inner]}]});
        let has = |name: &str| json!({"op": "like", "args": [folded(json!({"property": name})), folded(json!(format!("%{escaped}%")))]});
        let texts = self.view.fields().filter(|(_, field)| field.field_type == FieldType::Text);
        let any: Vec<Json> =
            std::iter::once("id").chain(texts.map(|(_, field)| field.name.as_str())).map(has).collect();
        self.composed("q", &json!({"op": "or", "args": any}))
    }

    /// A property by its name; `None` for the id.
    fn field(&self, parameter: &str, name: &str) -> Result<Option<usize>, Problem> {
        if name == "id" {
            return Ok(None);
        }
        let found = self.view.fields().find(|(_, field)| field.name == name);
        found.map(|(at, _)| Some(at)).ok_or_else(|| {
            let names: Vec<&str> = self.view.fields().map(|(_, field)| field.name.as_str()).collect();
            invalid(parameter, name, "there is no such property", &format!("id, {}", names.join(", ")))
        })
    }

    fn order(&self) -> Result<Order, Problem> {
        if self.parameters.get(&spec::SORTBY).is_none() {
            return Ok(Order::default());
        }
        let parts = self.parameters.list(&spec::SORTBY)?;
        let key = |part: &&str| {
            // A plus sign in an address stands for a space.
            let (name, descends) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part.trim_start_matches(['+', ' ']), false),
            };
            let field = self.field("sortby", name)?;
            if field.is_some_and(|at| !is_sortable(&self.view.schema().fields[at])) {
                return Err(invalid("sortby", name, "a list has no order", "a property of the sortables"));
            }
            Ok((field, descends))
        };
        Ok(Order { keys: parts.iter().map(key).collect::<Result<_, _>>()? })
    }

    fn start(&self, order: &Order) -> Result<Start, Problem> {
        match (self.parameters.get(&spec::AFTER), self.parameters.get(&spec::BEFORE)) {
            (None, None) => Ok(Start::First),
            (Some(text), None) => self.cursor("after", text, order).map(Start::After),
            (None, Some(text)) => self.cursor("before", text, order).map(Start::Before),
            (Some(_), Some(before)) => Err(invalid("before", before, "it stands beside after", "one of them")),
        }
    }

    /// An id; in an order of its own, a list of the values sorted by and the id.
    fn cursor(&self, name: &'static str, text: &str, order: &Order) -> Result<Cursor, Problem> {
        let accepted = "what the links next and prev hold";
        Cursor::parse(text, order, self.view.schema())
            .map_err(|error| invalid(name, text, &error.to_string(), accepted))
    }
}

/// A cursor as a link holds it.
pub(crate) fn cursor_text(cursor: &Cursor) -> String {
    cursor.to_string()
}

fn json_of(cell: ValueRef<'_>) -> Json {
    let mut out = Vec::new();
    write_value(&mut out, cell);
    serde_json::from_slice(&out).unwrap_or(Json::Null)
}
