//! Names that are more than letters.

use crate::world::{World, everything};

#[tokio::test(flavor = "multi_thread")]
async fn names_with_percent_signs_blanks_and_unicode_come_back() {
    let world = World::start().await;
    let names = ["100%", "a b", "Übergröße", "..%2F..", "映画"];
    for name in names {
        world.collection(name, 5).await;
    }
    world.save(&names).await;
    for name in names {
        world.drop(name).await;
    }
    world.ask(&everything()).await;
    world.run().await.exits(0);
    for name in names {
        assert_eq!(world.rest.count(name).await.unwrap(), 5, "{name}");
    }
}
