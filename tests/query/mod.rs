//! Query functions on layers built in memory, against brute force.

mod active;
mod allocation;
mod costly;
mod cover;
mod geofences;
mod paging;
mod regions;

use onemap::model::schema::{Field, FieldType, Label};
use onemap::model::{Feature, FeatureId, GeometryKind, LayerSchema, Roles, Shape, Value};
use onemap::snapshot::Layer;

fn label(text: &str) -> Label {
    Label { zh: text.to_owned(), en: text.to_owned() }
}

fn field(name: &str, field_type: FieldType) -> Field {
    Field {
        name: name.to_owned(),
        field_type,
        title: label(name),
        unit: None,
        codes: None,
        sensitive: false,
        is_reserved: false,
        in_tiles: false,
        min: Some(0.0),
        max: Some(10.0),
    }
}

fn schema(id: &str, fields: Vec<Field>, roles: Roles) -> LayerSchema {
    LayerSchema {
        clusters: None,
        importance: 1,
        tessellation: false,
        id: id.to_owned(),
        title: label(id),
        group: "test".to_owned(),
        geometry: GeometryKind::Any,
        min_zoom: 0,
        fields,
        roles,
    }
}

fn feature(number: usize, geometry: Option<Shape>, values: Vec<Value>) -> Feature {
    Feature { id: FeatureId::new(&format!("f{number:05}")).expect("an id"), geometry, values }
}

/// A layer with geometries only.
fn layer(shapes: Vec<Shape>) -> Layer {
    let features = shapes.into_iter().enumerate().map(|(number, shape)| feature(number, Some(shape), Vec::new()));
    Layer::build(schema("world", Vec::new(), Roles::default()), features.collect())
}
