use super::*;

fn body(template: &Template, first: u64) -> Value {
    let mut body = Vec::new();
    template.write(first, &mut body);
    assert_eq!(body.len(), template.body_bytes());
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_body_of_either_route_holds_the_points_under_their_ids() {
    let films = Films::new(3, Shape::Dense(4), Payloads::Short, 1);
    let typed = films.points(id(7));
    let ingest = body(&films.template(Route::Ingest, "mo\"vies"), 7);
    let upsert = body(&films.template(Route::Upsert, "movies"), 7);
    assert_eq!(ingest["collection_name"], "mo\"vies");
    for index in 0..3 {
        let id = id(7 + index as u64);
        assert_eq!(ingest["batch"]["ids"][index], id);
        assert_eq!(upsert["points"][index]["id"], id);
        assert_eq!(typed[index].id, Some(id.into()));
        let vector = &ingest["batch"]["vectors"][index];
        assert_eq!(vector.as_array().unwrap().len(), 4);
        assert_eq!(upsert["points"][index]["vector"], *vector);
        assert_eq!(
            upsert["points"][index]["payload"],
            ingest["batch"]["payloads"][index]
        );
    }
}

#[test]
fn named_vectors_are_json_too_and_ids_do_not_repeat() {
    let films = Films::new(2, Shape::SparseAndMulti, Payloads::Film, 1);
    let template = films.template(Route::Upsert, "movies");
    let written = body(&template, 999_999_998);
    assert_eq!(written["points"][1]["id"], 100_999_999_999_u64);
    let vectors = &written["points"][0]["vector"];
    assert_eq!(vectors["frames"].as_array().unwrap().len(), FRAMES);
    let indices = vectors["text"]["indices"].as_array().unwrap();
    assert!(indices.is_sorted_by_key(|index| index.as_u64()));
    assert_eq!(template.points(), 2);
}
