//! The answer table, held against one refusal of every kind.

use super::*;

#[test]
fn every_code_is_some_refusal_s_and_spelled_as_serialised() {
    let mut used: Vec<Code> = Refusal::examples()
        .iter()
        .map(|refusal| refusal.verdict().code)
        .collect();
    used.sort();
    used.dedup();
    assert_eq!(used, Code::ALL);
    for code in Code::ALL {
        let serialised = serde_json::to_value(code).unwrap();
        assert_eq!(serialised, code.as_str());
    }
}

#[test]
fn what_may_be_repeated_as_it_is_says_when_and_nothing_else_does() {
    for refusal in Refusal::examples() {
        let verdict = refusal.verdict();
        let repeatable = matches!(verdict.status.as_u16(), 429 | 503);
        assert_eq!(verdict.retry_after_s.is_some(), repeatable, "{refusal:?}");
    }
}

#[test]
fn the_answer_table_holds() {
    let statuses: Vec<(Code, u16)> = {
        let mut all: Vec<_> = Refusal::examples()
            .iter()
            .map(Refusal::verdict)
            .map(|verdict| (verdict.code, verdict.status.as_u16()))
            .collect();
        all.sort();
        all.dedup();
        all
    };
    assert_eq!(
        statuses,
        [
            (Code::KeyMissing, 401),
            (Code::KeyWrong, 403),
            (Code::NoRoute, 404),
            (Code::WrongMethod, 405),
            (Code::BadPath, 400),
            (Code::BadQuery, 400),
            (Code::UnsupportedContentType, 415),
            (Code::UnsupportedEncoding, 415),
            (Code::BodyTooLarge, 413),
            (Code::BodyTooSlow, 408),
            (Code::BodyIncomplete, 400),
            (Code::BadEncoding, 400),
            (Code::NotJson, 400),
            (Code::WrongForm, 400),
            (Code::InvalidPoint, 422),
            (Code::InvalidRequest, 422),
            (Code::InvalidCollectionName, 422),
            (Code::CollectionMissing, 404),
            (Code::PointTooLarge, 413),
            (Code::Overloaded, 429),
            (Code::QueueFull, 429),
            (Code::QueueMissing, 503),
            (Code::BrokerAway, 503),
            (Code::NotConfirmed, 503),
            (Code::Internal, 500),
        ]
    );
}
