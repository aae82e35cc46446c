//! Puts the page that shows the OpenAPI document beside the code: of swagger-ui's archive what a page loads, and
//! our own initializer, each compressed. Reads nothing from a network.

use std::{
    env, fs,
    io::{Cursor, Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// What `index.html` loads, and it, by name and content type.
const FILES: [(&str, &str); 7] = [
    ("index.html", "text/html; charset=utf-8"),
    ("index.css", "text/css"),
    ("swagger-ui.css", "text/css"),
    ("swagger-ui-bundle.js", "text/javascript"),
    ("swagger-ui-standalone-preset.js", "text/javascript"),
    ("favicon-16x16.png", "image/png"),
    ("favicon-32x32.png", "image/png"),
];
/// Takes the place of the archive's own, which shows a pet store.
const INITIALIZER: (&str, &str) = ("swagger-initializer.js", "text/javascript");

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/docs/initializer.js");
    let folder = env::var("OUT_DIR").context("OUT_DIR")?;
    let folder = Path::new(&folder);
    let mut archive =
        ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).context("open the archive")?;
    let mut table = String::from("static PARTS: &[Part] = &[\n");
    for (name, content_type) in FILES {
        let bytes = of_archive(&mut archive, name)?;
        table.push_str(&put(folder, name, content_type, &bytes)?);
    }
    let (name, content_type) = INITIALIZER;
    let bytes = fs::read("src/docs/initializer.js").context("read the initializer")?;
    table.push_str(&put(folder, name, content_type, &bytes)?);
    table.push_str("];\n");
    fs::write(folder.join("parts.rs"), table).context("write the table")
}

/// The one file of this name in `swagger-ui-<version>/dist/`.
fn of_archive(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>> {
    let end = format!("/dist/{name}");
    let path = {
        let mut paths = archive.file_names().filter_map(Result::ok);
        let path = paths.find(|path| path.ends_with(&end));
        path.with_context(|| format!("find {name}"))?.into_owned()
    };
    let mut file = archive
        .by_name(&path)
        .with_context(|| format!("open {path}"))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .with_context(|| format!("read {path}"))?;
    Ok(bytes)
}

/// Writes a file, compressed; its line of the table.
fn put(folder: &Path, name: &str, content_type: &str, bytes: &[u8]) -> Result<String> {
    let path = folder.join(format!("{name}.gz"));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    fs::write(&path, encoder.finish()?).with_context(|| format!("write {}", path.display()))?;
    Ok(format!(
        "    Part {{ name: {name:?}, content_type: {content_type:?}, gzipped: include_bytes!({:?}) }},\n",
        path.display().to_string()
    ))
}
