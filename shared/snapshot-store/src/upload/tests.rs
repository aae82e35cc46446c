//! What an upload refuses without asking S3.

use super::*;
use crate::{
    client::client,
    config::{Credentials, S3Config},
};

#[tokio::test]
async fn a_part_too_many_is_refused_and_the_setting_named() {
    let config = S3Config {
        bucket: "bucket".to_owned(),
        endpoint: "http://127.0.0.1:9".to_owned(),
        ..S3Config::default()
    };
    let credentials = Credentials::Static {
        access_key_id: "id".to_owned(),
        secret_access_key: "secret".into(),
    };
    let bucket = Bucket::new(client(&config, credentials).await, &config);
    let upload = Upload {
        bucket: Arc::new(bucket),
        key: "key".to_owned(),
        id: None,
    };
    assert!(upload.send(MOST_PARTS, Bytes::new()).is_ok());
    let Err(error) = upload.send(MOST_PARTS + 1, Bytes::new()) else {
        panic!("part 10001 would be sent")
    };
    let message = error.to_string();
    assert!(
        message.contains("longer than 83886080000 bytes"),
        "{message}"
    );
    assert!(message.contains("ALIOTH_S3_PART_SIZE"), "{message}");
    assert!(!error.is_transient());
}
