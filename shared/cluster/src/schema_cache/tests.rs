use super::*;
use prometheus::Registry;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::time::Instant;

/// Answers what it is told to, after a millisecond; while `closed`, not at all for 1.5 s.
struct Stand {
    asked: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    answer: watch::Sender<SchemaLookup>,
}

impl Stand {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl SchemaSource for Stand {
    async fn ask(&self, _: &str) -> SchemaLookup {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        let answer = self.answer.borrow().clone();
        let delay = match answer {
            SchemaLookup::Unavailable => Duration::from_millis(1500),
            SchemaLookup::Found(_) | SchemaLookup::Missing => Duration::from_millis(1),
        };
        tokio::time::sleep(delay).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

const TIMES: SchemaTimes = SchemaTimes {
    found: Duration::from_secs(30),
    missing: Duration::from_secs(5),
    entries: 100,
};

fn found() -> SchemaLookup {
    SchemaLookup::Found(Arc::default())
}

fn cache(answer: SchemaLookup) -> (SchemaCache, Arc<Stand>) {
    let stand = Arc::new(Stand {
        asked: AtomicUsize::new(0),
        under_way: AtomicUsize::new(0),
        most_under_way: AtomicUsize::new(0),
        answer: watch::channel(answer).0,
    });
    let metrics = ClusterMetrics::register(&Registry::new()).unwrap();
    (
        SchemaCache::with_source(stand.clone(), TIMES, metrics),
        stand,
    )
}

async fn advance(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
}

async fn many(cache: &SchemaCache, refresh: bool) -> Vec<SchemaLookup> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let cache = cache.clone();
        tasks.spawn(async move {
            match refresh {
                true => cache.refresh("films").await,
                false => cache.get("films").await,
            }
        });
    }
    tasks.join_all().await
}

#[tokio::test(start_paused = true)]
async fn one_question_answers_all_who_ask_at_once() {
    let (cache, stand) = cache(found());
    assert!(
        many(&cache, false)
            .await
            .iter()
            .all(|answer| *answer == found())
    );
    assert_eq!(stand.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_schema_is_believed_for_its_time_to_live() {
    let (cache, stand) = cache(found());
    cache.get("films").await;
    advance(29_000).await;
    cache.get("films").await;
    assert_eq!(stand.asked(), 1);
    advance(1_000).await;
    cache.get("films").await;
    assert_eq!(stand.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_absence_is_believed_for_less() {
    let (cache, stand) = cache(SchemaLookup::Missing);
    cache.get("films").await;
    advance(4_900).await;
    assert_eq!(cache.get("films").await, SchemaLookup::Missing);
    assert_eq!(stand.asked(), 1);
    advance(100).await;
    cache.get("films").await;
    assert_eq!(stand.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_sees_a_collection_created_a_moment_ago() {
    let (cache, stand) = cache(SchemaLookup::Missing);
    assert_eq!(cache.get("films").await, SchemaLookup::Missing);
    stand.answer.send_replace(found());
    assert_eq!(cache.get("films").await, SchemaLookup::Missing);
    assert_eq!(cache.refresh("films").await, found());
    assert_eq!(cache.get("films").await, found());
    assert_eq!(stand.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn refreshes_at_once_share_a_question() {
    let (cache, stand) = cache(found());
    cache.get("films").await;
    many(&cache, true).await;
    // The first asks at once, and one more for those who came while it was asking.
    assert_eq!(stand.asked(), 1 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_trust_a_question_asked_before_it() {
    let (cache, stand) = cache(SchemaLookup::Missing);
    let early = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get("films").await }
    });
    while stand.asked() == 0 {
        tokio::task::yield_now().await;
    }
    stand.answer.send_replace(found());
    assert_eq!(cache.refresh("films").await, found());
    assert_eq!(early.await.unwrap(), SchemaLookup::Missing);
    assert_eq!(stand.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_absent_qdrant_is_asked_one_question_a_pause() {
    let (cache, stand) = cache(SchemaLookup::Unavailable);
    assert_eq!(cache.get("films").await, SchemaLookup::Unavailable);
    for second in 0..10 {
        let mut tasks = tokio::task::JoinSet::new();
        for name in 0..50 {
            let cache = cache.clone();
            tasks.spawn(async move { cache.get(&format!("c{name}")).await });
        }
        assert!(
            tasks
                .join_all()
                .await
                .iter()
                .all(|a| *a == SchemaLookup::Unavailable)
        );
        assert!(
            stand.asked() <= 1 + second + 1,
            "{} after {second}",
            stand.asked()
        );
        advance(1_000).await;
    }
    assert_eq!(stand.most_under_way.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_absent_qdrant_but_the_one_who_asks() {
    let (cache, stand) = cache(SchemaLookup::Unavailable);
    cache.get("films").await;
    advance(1_000).await;
    let probe = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get("films").await }
    });
    while stand.asked() < 2 {
        tokio::task::yield_now().await;
    }
    let before = Instant::now();
    assert_eq!(cache.get("books").await, SchemaLookup::Unavailable);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(probe.await.unwrap(), SchemaLookup::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_outdated_schema_is_better_than_none() {
    let (cache, stand) = cache(found());
    cache.get("films").await;
    stand.answer.send_replace(SchemaLookup::Unavailable);
    advance(31_000).await;
    assert_eq!(cache.get("films").await, found());
    assert_eq!(cache.refresh("films").await, SchemaLookup::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_outdated_absence_is_not() {
    let (cache, stand) = cache(SchemaLookup::Missing);
    cache.get("films").await;
    stand.answer.send_replace(SchemaLookup::Unavailable);
    advance(6_000).await;
    assert_eq!(cache.get("films").await, SchemaLookup::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_with_the_first_answer() {
    let (cache, stand) = cache(SchemaLookup::Unavailable);
    cache.get("films").await;
    stand.answer.send_replace(found());
    assert_eq!(cache.get("films").await, SchemaLookup::Unavailable);
    advance(1_000).await;
    assert_eq!(cache.get("films").await, found());
    assert_eq!(cache.get("books").await, found());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_asks_when_the_asker_is_gone() {
    let (cache, stand) = cache(found());
    let asker = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get("films").await }
    });
    while stand.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let waiting = tokio::spawn(async move { cache.get("films").await });
    tokio::task::yield_now().await;
    asker.abort();
    assert_eq!(waiting.await.unwrap(), found());
    assert_eq!(stand.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn made_up_names_do_not_grow_the_cache_nor_push_out_real_ones() {
    let (cache, stand) = cache(found());
    cache.get("films").await;
    stand.answer.send_replace(SchemaLookup::Missing);
    for name in 0..1_000 {
        cache.get(&format!("c{name}")).await;
        assert!(cache.inner.lock().entries.len() <= TIMES.entries);
    }
    let before = stand.asked();
    assert_eq!(cache.get("films").await, found());
    assert_eq!(stand.asked(), before);
}

#[tokio::test(start_paused = true)]
async fn a_name_no_collection_can_have_is_not_asked_for() {
    let (cache, stand) = cache(found());
    assert_eq!(cache.get(&"x".repeat(256)).await, SchemaLookup::Missing);
    assert_eq!(stand.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn questions_under_way_are_bounded() {
    let (cache, stand) = cache(found());
    let mut tasks = tokio::task::JoinSet::new();
    for name in 0..90 {
        let cache = cache.clone();
        tasks.spawn(async move { cache.get(&format!("c{name}")).await });
    }
    tasks.join_all().await;
    assert_eq!(stand.asked(), 90);
    assert!(stand.most_under_way.load(Ordering::SeqCst) <= MAX_QUESTIONS);
}
