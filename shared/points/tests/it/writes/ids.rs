//! Ids in every form, and fields nobody knows.
use qdrant_client::qdrant::point_id::PointIdOptions;

use crate::upserted;

fn id_of(id: &str) -> PointIdOptions {
    let mut message = upserted(&format!(r#"{{"points": [{{"id": {id}}}]}}"#));
    message
        .points
        .swap_remove(0)
        .id
        .and_then(|id| id.point_id_options)
        .expect("an id")
}

#[test]
fn ids_are_numbers_or_uuids_in_every_form() {
    assert_eq!(id_of("0"), PointIdOptions::Num(0));
    assert_eq!(id_of("18446744073709551615"), PointIdOptions::Num(u64::MAX));
    let uuid = PointIdOptions::Uuid("936da01f-9abd-4d9d-80c7-02af85c822a8".to_owned());
    for form in [
        "936da01f-9abd-4d9d-80c7-02af85c822a8",
        "936DA01F-9ABD-4d9d-80C7-02AF85C822A8",
        "936da01f9abd4d9d80c702af85c822a8",
        "urn:uuid:936da01f-9abd-4d9d-80c7-02af85c822a8",
        "URN:UUID:936DA01F-9abd-4d9d-80c7-02af85c822a8",
        "{936da01f-9abd-4d9d-80c7-02af85c822a8}",
        "\\u0039\\u00336da01f-9abd-4d9d-80c7-02af85c822a8",
    ] {
        assert_eq!(id_of(&format!("\"{form}\"")), uuid, "{form}");
    }
}

#[test]
fn unknown_fields_are_passed_over_as_qdrant_does() {
    let body = r#"{"wait": [1, {"a": "b"}], "points": [{"x": {"y": [[]]}, "id": 1, "z": null}], "more": -1.5e3}"#;
    assert_eq!(upserted(body).points.len(), 1);
}
