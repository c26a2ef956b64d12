//! Makes, changes and lists commitments. Each is a feature of the layer with the role `commitments`; the same transaction
//! reserves or returns the part of the resource, so the promised amounts of a resource are the sum of its commitments.

use time::UtcDateTime;

use crate::model::{
    Action, Edit, ExcessMark, FeatureId, FingerprintKey, LayerIndex, LayerSchema, OverCommitment, Precondition,
    Reservation, ReservedPart, Shape, Value, ValueRef,
};
use crate::snapshot::{Layer, Row, Snapshot};

/// A state of a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentState {
    /// Suggested; nothing is promised yet.
    Proposed,
    /// Promised.
    Committed,
    /// Promised and under way.
    EnRoute,
    /// Ended; nothing is promised any more.
    Released,
}

impl CommitmentState {
    /// All states, in the order in which they are passed through.
    pub const ALL: [Self; 4] = [Self::Proposed, Self::Committed, Self::EnRoute, Self::Released];

    /// Its code in the catalog.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Committed => "committed",
            Self::EnRoute => "en_route",
            Self::Released => "released",
        }
    }

    /// The state of a code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether a part of the resource is promised.
    fn promises(self) -> bool {
        matches!(self, Self::Committed | Self::EnRoute)
    }
}

/// How much of a resource is promised.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// Places for people.
    People {
        /// Persons.
        count: i64,
        /// Whether they stay for the night.
        by_night: bool,
    },
    /// Quantities by item code.
    Items(Vec<(String, f64)>),
    /// All of it.
    Whole,
}

/// A commitment to make.
#[derive(Clone, Debug)]
pub struct NewCommitment {
    /// Id of the incident.
    pub incident: String,
    /// Layer of the resource.
    pub layer: String,
    /// Id of the resource.
    pub resource: String,
    /// What is promised.
    pub amount: Amount,
    /// Its first state.
    pub state: CommitmentState,
    /// Its end; `None` ends it with the incident.
    pub until: Option<UtcDateTime>,
    /// A remark.
    pub note: Option<String>,
    /// What happens beyond what is free.
    pub over: OverCommitment,
    /// Who makes it.
    pub by: String,
}

/// A change of the end of a commitment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndChange {
    /// It stays.
    #[default]
    Keep,
    /// The commitment ends with its incident.
    WithIncident,
    /// It ends at an instant.
    At(UtcDateTime),
}

/// A change of a commitment; `None` keeps a part.
#[derive(Clone, Debug, Default)]
pub struct StateChange {
    /// The new state.
    pub state: Option<CommitmentState>,
    /// The new end.
    pub until: EndChange,
    /// The new remark.
    pub note: Option<String>,
    /// What happens beyond what is free.
    pub over: OverCommitment,
}

/// Why a commitment cannot be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// The catalog has no layer for commitments.
    #[error("the catalog has no layer with the role commitments")]
    NoLayer,
    /// The incident does not exist.
    #[error("no incident or warning has this id")]
    UnknownIncident,
    /// The incident has ended.
    #[error("the incident has ended or expired")]
    EndedIncident,
    /// The layer of the resource does not exist.
    #[error("this layer does not exist")]
    UnknownLayer,
    /// The resource does not exist.
    #[error("the layer has no such feature")]
    UnknownResource,
    /// The layer has no such amounts.
    #[error("this layer has {accepted}")]
    WrongAmount {
        /// What the layer has.
        accepted: &'static str,
    },
    /// The end is not after now.
    #[error("it is not in the future")]
    PastEnd,
    /// No commitment has the id.
    #[error("no commitment has this id")]
    UnknownCommitment,
    /// A released commitment does not change.
    #[error("the commitment was released")]
    AlreadyReleased,
    /// States do not go backwards.
    #[error("a commitment that is {from} does not become {to}")]
    WrongState {
        /// The state.
        from: &'static str,
        /// The requested state.
        to: &'static str,
    },
}

/// The layer of commitments, and the positions of its fields.
#[derive(Clone, Copy, Debug)]
pub struct CommitmentFields<'a> {
    schema: &'a LayerSchema,
}

impl<'a> CommitmentFields<'a> {
    /// The layer with the role.
    #[must_use]
    pub fn find(schemas: impl IntoIterator<Item = &'a LayerSchema>) -> Option<Self> {
        schemas.into_iter().find(|schema| schema.roles.commitments).map(|schema| Self { schema })
    }

    /// The id of the layer.
    #[must_use]
    pub fn layer(self) -> &'a str {
        &self.schema.id
    }

    /// Where a commitment records what it takes beyond what is free.
    fn mark(self, layer: LayerIndex, id: FeatureId) -> ExcessMark {
        let (people, items) = (self.schema.position("over_people"), self.schema.position("over_items"));
        ExcessMark { layer, id, people, items }
    }

    /// Fields that the catalog does not have are left out.
    fn values(self, named: Vec<(&str, Value)>) -> Vec<(usize, Value)> {
        named.into_iter().filter_map(|(name, value)| Some((self.schema.position(name)?, value))).collect()
    }
}

/// A stored commitment.
#[derive(Clone, Debug)]
pub struct Commitment<'a> {
    /// Its feature.
    pub row: Row<'a>,
    /// Its state.
    pub state: CommitmentState,
    /// Id of the incident.
    pub incident: &'a str,
    /// Its end.
    pub until: Option<UtcDateTime>,
    layer: &'a str,
    resource: &'a str,
    amount: Amount,
    /// The status of a resource that is promised as a whole, before.
    status_before: Option<&'a str>,
}

impl<'a> Commitment<'a> {
    /// Reads a feature; `None` if it is no complete commitment.
    #[must_use]
    pub fn read(layer: &'a Layer, row: Row<'a>) -> Option<Self> {
        let text = |name: &str| layer.text(&row, name);
        let by_night = layer.schema().position("night").map(|at| row.cell(at)) == Some(ValueRef::Boolean(true));
        let items = layer.schema().position("items").and_then(|at| match row.cell(at) {
            ValueRef::Json(items) => serde_json::from_str::<Vec<StoredItem>>(items).ok(),
            _ => None,
        });
        let amount = match (layer.integer(&row, "people"), items) {
            (Some(count), _) => Amount::People { count, by_night },
            (None, Some(items)) => Amount::Items(items.into_iter().map(|own| (own.item_code, own.quantity)).collect()),
            (None, None) => Amount::Whole,
        };
        let until = layer.schema().position("until").and_then(|at| match row.cell(at) {
            ValueRef::DateTime(until) => Some(until),
            _ => None,
        });
        Some(Self {
            state: CommitmentState::parse(text("state")?)?,
            incident: text("incident")?,
            layer: text("resource_layer")?,
            resource: text("resource")?,
            status_before: text("status_before"),
            amount,
            until,
            row,
        })
    }

    /// Layer and id of the resource.
    #[must_use]
    pub fn resource(&self) -> (&'a str, &'a str) {
        (self.layer, self.resource)
    }

    /// Whether it has not been released.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != CommitmentState::Released
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct StoredItem {
    item_code: String,
    quantity: f64,
}

/// All commitments, in the order of their ids.
pub fn list(snapshot: &Snapshot) -> impl Iterator<Item = Commitment<'_>> {
    let layer = snapshot.layers().iter().find(|layer| layer.schema().roles.commitments);
    layer.into_iter().flat_map(|layer| layer.rows_after(None).filter_map(|row| Commitment::read(layer, row)))
}

/// A feature of a layer with events, such as an incident or a warning.
fn incident<'a>(snapshot: &'a Snapshot, id: &str) -> Option<(&'a Layer, Row<'a>)> {
    let id = FeatureId::new(id).ok()?;
    let layers = snapshot.layers().iter().filter(|layer| layer.resources().has_active_area());
    layers.into_iter().find_map(|layer| Some((&**layer, layer.find(&id)?)))
}

/// Whether an incident is known and goes on.
pub(super) fn is_running(snapshot: &Snapshot, id: &str, now: UtcDateTime) -> bool {
    incident(snapshot, id).is_some_and(|(layer, row)| layer.resources().is_active(&row, now))
}

/// The edits that make a commitment: its feature, and the reservation.
///
/// # Errors
/// See [`CommitmentError`]; whether the amount is free is decided when the edits are applied.
pub fn create(
    snapshot: &Snapshot,
    schemas: &[LayerSchema],
    new: &NewCommitment,
    id: FeatureId,
    now: UtcDateTime,
) -> Result<Vec<Edit>, CommitmentError> {
    let fields = CommitmentFields::find(schemas).ok_or(CommitmentError::NoLayer)?;
    let own = LayerIndex::find(schemas, fields.layer()).ok_or(CommitmentError::NoLayer)?;
    let (events, event) = incident(snapshot, &new.incident).ok_or(CommitmentError::UnknownIncident)?;
    if !events.resources().is_active(&event, now) {
        return Err(CommitmentError::EndedIncident);
    }
    if new.until.is_some_and(|until| until <= now) {
        return Err(CommitmentError::PastEnd);
    }
    let layer = snapshot.layer(&new.layer).ok_or(CommitmentError::UnknownLayer)?;
    let index = LayerIndex::find(schemas, &new.layer).ok_or(CommitmentError::UnknownLayer)?;
    let row = FeatureId::new(&new.resource).ok().and_then(|id| layer.find(&id));
    let row = row.ok_or(CommitmentError::UnknownResource)?;
    let taken = part(layer.schema(), &new.amount, new.state)?;
    let name = |layer: &Layer, row: &Row<'_>| layer.text(row, "name").unwrap_or(row.id().as_str()).to_owned();
    let text = |text: &str| Value::Text(text.to_owned());
    let mut values = vec![
        ("name", Value::Text(format!("{} → {}", name(layer, &row), name(events, &event)))),
        ("incident", text(&new.incident)),
        ("resource_layer", text(&new.layer)),
        ("resource", text(&new.resource)),
        ("state", text(new.state.code())),
        ("made_by", text(&new.by)),
        ("started_at", Value::DateTime(now)),
    ];
    values.extend(new.until.map(|until| ("until", Value::DateTime(until))));
    values.extend(new.note.as_deref().map(|note| ("note", text(note))));
    values.extend(layer.text(&row, "region_code").map(|code| ("region_code", text(code))));
    match &new.amount {
        Amount::People { count, by_night } => {
            values.extend([("people", Value::Integer(*count)), ("night", Value::Boolean(*by_night))]);
        }
        Amount::Items(items) => {
            let items: Vec<StoredItem> = items
                .iter()
                .map(|(code, quantity)| StoredItem { item_code: code.clone(), quantity: *quantity })
                .collect();
            values.extend(serde_json::to_string(&items).ok().map(|items| ("items", Value::Json(items))));
        }
        Amount::Whole => values.extend(layer.resources().status(&row).map(|status| ("status_before", text(status)))),
    }
    let action = Action::Create { geometry: place(&row), values: fields.values(values) };
    // The reservation comes first, because the commitment records what exceeds what is free.
    let mut edits = Vec::new();
    if new.state.promises() {
        let reservation = Reservation { part: taken, over: new.over, mark: Some(fields.mark(own, id.clone())) };
        edits.push(edit(index, row.id().clone(), Action::Reserve(reservation), Precondition::Exists));
    }
    edits.push(edit(own, id, action, Precondition::Absent));
    Ok(edits)
}

/// The edits that change a commitment: its feature, and what its resource has to promise or gets back.
///
/// # Errors
/// See [`CommitmentError`].
pub fn update(
    snapshot: &Snapshot,
    schemas: &[LayerSchema],
    id: &str,
    change: &StateChange,
    key: &FingerprintKey,
    now: UtcDateTime,
) -> Result<Vec<Edit>, CommitmentError> {
    let fields = CommitmentFields::find(schemas).ok_or(CommitmentError::NoLayer)?;
    let own = LayerIndex::find(schemas, fields.layer()).ok_or(CommitmentError::NoLayer)?;
    let layer = snapshot.layer(fields.layer()).ok_or(CommitmentError::NoLayer)?;
    let row = FeatureId::new(id).ok().and_then(|id| layer.find(&id)).ok_or(CommitmentError::UnknownCommitment)?;
    let stored = Commitment::read(layer, row).ok_or(CommitmentError::UnknownCommitment)?;
    if !stored.is_open() {
        return Err(CommitmentError::AlreadyReleased);
    }
    let to = change.state.unwrap_or(stored.state);
    let order = |state| CommitmentState::ALL.iter().position(|own| *own == state);
    if order(to) < order(stored.state) {
        return Err(CommitmentError::WrongState { from: stored.state.code(), to: to.code() });
    }
    if matches!(change.until, EndChange::At(until) if until <= now) {
        return Err(CommitmentError::PastEnd);
    }
    let mut values = vec![("state", Value::Text(to.code().to_owned()))];
    if to == CommitmentState::Released {
        values.push(("ended_at", Value::DateTime(now)));
    }
    match change.until {
        EndChange::Keep => {}
        EndChange::WithIncident => values.push(("until", Value::Unknown)),
        EndChange::At(until) => values.push(("until", Value::DateTime(until))),
    }
    values.extend(change.note.as_ref().map(|note| ("note", Value::Text(note.clone()))));
    // Of two writers one fails: the state that both saw is no longer there for the second.
    let seen = Precondition::OneOf(vec![key.fingerprint(&row.to_feature())]);
    let action = Action::Change { geometry: None, values: fields.values(values) };
    let change_of_own = edit(own, row.id().clone(), action, seen);
    // A resource that was deleted has nothing to return.
    let index = LayerIndex::find(schemas, stored.layer);
    let resource = FeatureId::new(stored.resource)
        .ok()
        .filter(|id| snapshot.layer(stored.layer).is_some_and(|layer| layer.find(id).is_some()));
    let mut edits = Vec::new();
    if let (Some(index), Some(resource)) = (index, resource)
        && let Some(part) = transition(index.of(schemas), &stored, to)?
    {
        let mark = Some(fields.mark(own, change_of_own.id.clone()));
        let action = Action::Reserve(Reservation { part, over: change.over, mark });
        edits.push(edit(index, resource, action, Precondition::Exists));
    }
    edits.push(change_of_own);
    Ok(edits)
}

/// What changes at the resource when a commitment changes its state.
fn transition(
    schema: &LayerSchema,
    stored: &Commitment<'_>,
    to: CommitmentState,
) -> Result<Option<ReservedPart>, CommitmentError> {
    let from = stored.state;
    if from == to {
        return Ok(None);
    }
    if !from.promises() {
        return if to.promises() { part(schema, &stored.amount, to).map(Some) } else { Ok(None) };
    }
    Ok(match &stored.amount {
        Amount::Whole => {
            let engaged = schema.roles.engaged.as_ref();
            let status = |state| engaged.and_then(|own| own.status(state)).map(str::to_owned);
            let after = if to.promises() { status(to.code()) } else { stored.status_before.map(str::to_owned) };
            status(from.code()).zip(after).map(|(from, to)| ReservedPart::Returned { from, to })
        }
        _ if to.promises() => None,
        Amount::People { count, by_night } => Some(ReservedPart::Places { count: -count, by_night: *by_night }),
        Amount::Items(items) => {
            Some(ReservedPart::Items(items.iter().map(|(code, quantity)| (code.clone(), -quantity)).collect()))
        }
    })
}

/// The part of a resource that an amount means.
fn part(schema: &LayerSchema, amount: &Amount, state: CommitmentState) -> Result<ReservedPart, CommitmentError> {
    let roles = &schema.roles;
    let wrong = |accepted| Err(CommitmentError::WrongAmount { accepted });
    match (amount, &roles.capacity, &roles.stock, &roles.engaged) {
        (Amount::People { count, by_night }, Some(_), ..) => {
            Ok(ReservedPart::Places { count: *count, by_night: *by_night })
        }
        (Amount::Items(items), _, Some(_), _) => Ok(ReservedPart::Items(items.clone())),
        (Amount::Whole, None, None, Some(engaged)) => {
            let status = engaged.status(state.code()).unwrap_or(&engaged.committed);
            Ok(ReservedPart::Whole { to: status.to_owned() })
        }
        (_, Some(_), ..) => wrong("places: people is the number of persons"),
        (_, _, Some(_), _) => wrong("stock: items are quantities by item code"),
        (_, _, _, Some(_)) => wrong("teams: neither people nor items"),
        _ => wrong("nothing that can be promised"),
    }
}

/// The point of a resource, or a position in it.
fn place(row: &Row<'_>) -> Option<Shape> {
    let own = row.shape()?;
    if own.as_point().is_some() {
        return Some(own.clone());
    }
    Shape::new(geo::Point(row.label_point()?).into()).ok()
}

fn edit(layer: LayerIndex, id: FeatureId, action: Action, condition: Precondition) -> Edit {
    Edit { layer, id, action, condition, regions: Vec::new(), reserved: Vec::new() }
}
