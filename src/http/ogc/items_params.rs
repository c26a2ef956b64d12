//! Parameters of a request for the features of a collection: selection, order and representation.

use serde_json::json;

use crate::exchange::value_from_json;
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::region::Region;
use crate::http::call::Call;
use crate::http::ogc::schemas::is_sortable;
use crate::http::params::crs::{bbox, crs_by_uri};
use crate::http::params::filters::filter;
use crate::http::params::{QueryParams, invalid, spec};
use crate::http::reply::problem::Problem;
use crate::model::{Field, FieldType, LayerSchema, Value, View, parse_time_span};
use crate::query::cursor::Cursor;
use crate::query::filter::{Filter, FilterError};
use crate::query::items::{Order, PageRequest, Start};

/// The query, and the representation of its reply.
pub(crate) struct ItemsQuery<'a> {
    pub(crate) parameters: QueryParams,
    pub(crate) view: View<'a>,
    pub(crate) page_request: PageRequest,
    /// The reference system of the answer.
    pub(crate) crs: CrsTransform,
    pub(crate) with_geometry: bool,
}

impl<'a> ItemsQuery<'a> {
    /// # Errors
    /// When a parameter is invalid.
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
        let crs = crs_by_uri(&parameters, &spec::REPLY_CRS)?;
        let view = shown_view(&parameters, view.clone())?;
        Ok(Self { parameters, view, page_request, crs, with_geometry })
    }

    /// Whether the request names a limit.
    pub(crate) fn has_limit(&self) -> bool {
        self.parameters.get(&spec::ITEMS_LIMIT).is_some()
    }
}

/// The view limited to the parameter `properties`; all of it without the parameter.
///
/// # Errors
/// When a name is not a property of the view.
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

/// The filters from the parameters of a tile: `filter`, `datetime`, `ids`.
///
/// # Errors
/// When a parameter is invalid, or the layer has no such property.
pub(crate) fn filters_of(parameters: &QueryParams, view: &View<'_>) -> Result<Vec<Filter>, Problem> {
    ItemsParamsReader { parameters, view }.filters()
}

struct ItemsParamsReader<'a, 'v> {
    parameters: &'a QueryParams,
    view: &'a View<'v>,
}

impl ItemsParamsReader<'_, '_> {
    fn region(&self) -> Result<Option<Region>, Problem> {
        bbox(&crs_by_uri(self.parameters, &spec::BBOX_CRS)?, self.parameters)
    }

    /// The filters from `filter` and from all other parameters.
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
            filters.push(self.checked(spec::IDS.name, Filter::ids(ids.iter().copied(), self.view))?);
        }
        if let Some(id) = self.parameters.property("id") {
            filters.push(self.checked("id", Filter::ids([id], self.view))?);
        }
        for (_, field) in self.view.fields() {
            // A property with the name of another parameter cannot be a parameter.
            if let Some(text) = self.parameters.property(&field.name).filter(|_| !self.parameters.declares(&field.name))
            {
                filters.push(self.equals(field, text)?);
            }
        }
        Ok(filters)
    }

    fn checked(&self, name: &str, filter: Result<Filter, FilterError>) -> Result<Filter, Problem> {
        let value = self.parameters.property(name).unwrap_or_default();
        filter.map_err(|error| invalid(name, value, &error.to_string(), "a shorter value"))
    }

    /// `name=value`: the value itself, or one of a list's.
    fn equals(&self, field: &Field, text: &str) -> Result<Filter, Problem> {
        let refused = |reason: &str, accepted: &str| invalid(&field.name, text, reason, accepted);
        let value = match field.field_type {
            FieldType::Json => {
                return Err(refused("a JSON document cannot be compared", "filter= with other properties"));
            }
            FieldType::TextList => Value::TextList(vec![text.to_owned()]),
            other => value_from_json(field, &json!(text))
                .map_err(|reason| refused(&reason.to_string(), &format!("a value of type {}", other.name())))?,
        };
        self.checked(&field.name, Filter::equals(field, &value, self.view))
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

    /// Features whose time shares an instant with an interval; `None` is an open end.
    fn time(
        &self,
        parameter: &'static str,
        from: Option<&str>,
        to: Option<&str>,
        refused: &dyn Fn(&str) -> Problem,
    ) -> Result<Option<Filter>, Problem> {
        let span = |part: Option<&str>| {
            let unreadable = || refused("it is neither a time with a zone nor a day, in the years 0000 to 9999");
            part.map(|part| parse_time_span(part).ok_or_else(unreadable)).transpose()
        };
        let (from, to) = (span(from)?, span(to)?);
        let (from, to) = (from.map(|(first, _)| first), to.map(|(_, last)| last));
        if from.is_none() && to.is_none() {
            return Err(refused("both ends are open"));
        }
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(refused("it ends before it begins"));
        }
        let Some(when) = &self.view.schema().roles.time else { return Ok(None) };
        self.checked(parameter, Filter::during(when, from, to, self.view)).map(Some)
    }

    /// Features whose id or a text contains these words.
    fn search(&self, text: &str) -> Result<Filter, Problem> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 100 {
            return Err(invalid("q", text, "it is empty or too long", "1 to 100 characters"));
        }
        self.checked(spec::Q.name, Filter::containing(text, self.view))
    }

    /// A property by its name; `None` for the id.
    fn field(&self, parameter: &str, name: &str) -> Result<Option<usize>, Problem> {
        if name == "id" {
            return Ok(None);
        }
        let found = self.view.fields().find(|(_, field)| field.name == name);
        found.map(|(at, _)| Some(at)).ok_or_else(|| {
            let names: Vec<&str> = self.view.fields().map(|(_, field)| field.name.as_str()).collect();
            invalid(parameter, name, "this property does not exist", &format!("id, {}", names.join(", ")))
        })
    }

    fn order(&self) -> Result<Order, Problem> {
        if self.parameters.get(&spec::SORTBY).is_none() {
            return Ok(Order::default());
        }
        let parts = self.parameters.list(&spec::SORTBY)?;
        let key = |part: &&str| {
            // A plus sign in a URL means a space.
            let (name, descends) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part.trim_start_matches(['+', ' ']), false),
            };
            let field = self.field("sortby", name)?;
            if field.is_some_and(|at| !is_sortable(&self.view.schema().fields[at])) {
                return Err(invalid("sortby", name, "a list has no order", "one of the sortables"));
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
            (Some(_), Some(before)) => {
                Err(invalid("before", before, "it cannot be combined with after", "one of the two"))
            }
        }
    }

    /// An id; with a sort order, a JSON list of the sort values and the id.
    fn cursor(&self, name: &'static str, text: &str, order: &Order) -> Result<Cursor, Problem> {
        let accepted = "a cursor from a link next or prev";
        Cursor::parse(text, order, self.view.schema())
            .map_err(|error| invalid(name, text, &error.to_string(), accepted))
    }
}
