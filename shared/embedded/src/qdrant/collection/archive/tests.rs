use std::io::Write;

use tar::{Builder, Header};
use tempfile::NamedTempFile;

use super::*;

const WHOLE: [(&str, &[u8]); 3] = [
    ("segments/one/files/data", b"12345"),
    ("wal/open-0", b"67890"),
    ("edge_config.json", b"{}"),
];

fn archive_of(files: &[(&str, &[u8])]) -> NamedTempFile {
    let mut tar = Builder::new(NamedTempFile::new().expect("a temporary file"));
    for (path, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, *bytes)
            .expect("an entry");
    }
    tar.into_inner().expect("an archive")
}

fn limits(entries: usize, bytes: u64) -> Limits {
    Limits { entries, bytes }
}

#[test]
fn an_archive_within_its_limits_passes_and_one_beyond_does_not() {
    let archive = archive_of(&WHOLE);
    assert!(check(archive.path(), &limits(3, 12)).is_ok());
    let many = check(archive.path(), &limits(2, 12));
    assert!(matches!(many, Err(ArchiveError::Entries(2))), "{many:?}");
    let large = check(archive.path(), &limits(3, 11));
    assert!(matches!(large, Err(ArchiveError::Bytes(11))), "{large:?}");
}

#[test]
fn a_hole_counts_as_much_as_it_claims() {
    let directory = tempfile::tempdir().expect("a directory");
    let sparse = directory.path().join("sparse");
    let mut file = File::create(&sparse).expect("a file");
    file.write_all(b"data").expect("written");
    file.set_len(1 << 30).expect("a hole");
    let mut tar = Builder::new(NamedTempFile::new().expect("a temporary file"));
    tar.append_path_with_name(&sparse, "segments/one/files/sparse")
        .expect("an entry");
    tar.append_path_with_name(&sparse, "wal/open-0")
        .expect("an entry");
    let archive = tar.into_inner().expect("an archive");
    let limits = limits(3, 1 << 30);
    let large = check(archive.path(), &limits);
    assert!(matches!(large, Err(ArchiveError::Bytes(_))), "{large:?}");
}

#[test]
fn long_names_pass_and_overlong_ones_do_not() {
    let name = |length: usize| format!("segments/one/files/{}", "n/".repeat(length / 2));
    for (length, passes) in [(150, true), (2000, true), (6000, false)] {
        let path = format!("{}end", name(length));
        let archive = archive_of(&[(&path, b"x"), ("wal/open-0", b"")]);
        let checked = check(archive.path(), &Limits::default());
        assert_eq!(checked.is_ok(), passes, "{length}: {checked:?}");
    }
}

#[test]
fn what_lacks_segments_or_a_log_is_no_shard() {
    for (missing, files) in [("segments", &WHOLE[1..]), ("wal", &WHOLE[..1])] {
        let archive = archive_of(files);
        match check(archive.path(), &Limits::default()) {
            Err(ArchiveError::NoShard(what)) => assert_eq!(what, missing),
            other => panic!("{missing}: {other:?}"),
        }
    }
}

#[test]
fn the_files_of_a_segment_are_archived_where_unpacking_looks_for_them() {
    for (file, expected) in [
        ("segments/one/a/b", "segments/one/files/a/b"),
        ("wal/open-0", "wal/open-0"),
        ("edge_config.json", "edge_config.json"),
    ] {
        assert_eq!(archived(Path::new(file)), Path::new(expected));
    }
}

#[test]
fn the_same_files_are_archived_as_the_same_bytes_and_come_back() {
    let from = tempfile::tempdir().expect("a directory");
    for (path, bytes) in [
        ("segments/one/data", b"1".as_slice()),
        ("segments/one/deep/more", b"22"),
        ("wal/open-0", b""),
    ] {
        let path = from.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
    let (mut once, mut again) = (Vec::new(), Vec::new());
    write(from.path(), b"{}", &mut once).expect("archived");
    write(from.path(), b"{}", &mut again).expect("archived");
    assert_eq!(once, again);

    let mut archive = NamedTempFile::new().expect("a temporary file");
    archive.write_all(&once).expect("written");
    let described = descriptor(archive.path()).expect("readable");
    assert_eq!(described.as_deref(), Some(b"{}".as_slice()));
    let to = tempfile::tempdir().expect("a directory");
    unpack(archive.path(), &Limits::default(), to.path()).expect("unpacked");
    let more = std::fs::read(to.path().join("segments/one/deep/more")).expect("there");
    assert_eq!(more, b"22");
    assert!(!to.path().join("segments/one/files").exists());
}
