//! Files and folders as sources of a config.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tidegate_control::files::FileSource;
use tidegate_source::ConfigSource;
use tidegate_source_rig::contract::{self, Fixture};
use tidegate_telemetry::clock;
use tokio::time::timeout;

const HOUR: Duration = Duration::from_secs(3600);

/// A folder whose files are one config.
struct Folder(TempDir);

/// One file.
struct OneFile(TempDir);

fn new() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes a file in place, as `echo >` does.
fn put(folder: &Path, name: &str, content: Option<&str>) {
    let path = folder.join(name);
    match content {
        Some(content) => fs::write(path, content).expect("written"),
        None => fs::remove_file(path).expect("removed"),
    }
}

impl Fixture for Folder {
    const PREFIX: &str = "";
    const MANY: bool = true;

    fn own_name(name: &str) -> Option<&str> {
        Path::new(name).file_name()?.to_str()
    }

    fn source(&self) -> Box<dyn ConfigSource> {
        Box::new(FileSource::new(self.0.path()))
    }

    fn write(&mut self, name: &str, content: Option<&str>) {
        put(self.0.path(), name, content);
    }
}

impl Fixture for OneFile {
    const PREFIX: &str = "";
    const MANY: bool = false;

    fn own_name(name: &str) -> Option<&str> {
        Folder::own_name(name)
    }

    fn source(&self) -> Box<dyn ConfigSource> {
        Box::new(FileSource::new(&self.0.path().join("a.yaml")))
    }

    fn write(&mut self, name: &str, content: Option<&str>) {
        put(self.0.path(), name, content);
    }
}

#[tokio::test]
async fn files_tell_the_story_of_every_source() {
    contract::tells_the_story(&mut Folder(new())).await;
    contract::tells_the_story(&mut OneFile(new())).await;
}

#[tokio::test]
async fn files_lose_nothing_if_their_caller_goes_away() {
    contract::loses_nothing_if_dropped(&mut Folder(new())).await;
    contract::loses_nothing_if_dropped(&mut OneFile(new())).await;
}

#[tokio::test]
async fn files_tell_again_when_asked() {
    contract::tells_again_when_asked(&mut Folder(new())).await;
    contract::tells_again_when_asked(&mut OneFile(new())).await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let mut folder = Folder(new());
    let error = contract::says_that_there_is_none(&mut folder).await;
    assert_eq!(error.message, format!("there is no .yaml file in the folder `{}`", folder.0.path().display()));
    let mut file = OneFile(new());
    let error = contract::says_that_there_is_none(&mut file).await;
    assert_eq!(error.message, format!("there is no config file `{}/a.yaml`", file.0.path().display()));
}

/// Writes a file, and says that it was written then.
fn put_at(folder: &Path, content: &str, written: SystemTime) {
    put(folder, "a.yaml", Some(content));
    let file = File::options().append(true).open(folder.join("a.yaml")).expect("opened");
    file.set_modified(written).expect("its time");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_being_written_is_told_when_it_is_left_alone() {
    let file = OneFile(new());
    // Young for as long as the test likes.
    put_at(file.0.path(), "listeners: [{", clock::wall() + HOUR);
    let mut source = file.source();
    let told = timeout(Duration::from_millis(300), source.next()).await;
    assert!(told.is_err(), "a half that is young is not told: {told:?}");
    put_at(file.0.path(), "listeners: [{}]", clock::wall() - HOUR);
    let document = source.next().await.expect("a state");
    assert_eq!(contract::parts::<OneFile>(&document), [("a.yaml".to_owned(), "listeners: [{}]".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_always_young_is_told_too() {
    let file = OneFile(new());
    put_at(file.0.path(), "one", clock::wall() + HOUR);
    let document = timeout(Duration::from_secs(1), file.source().next()).await.expect("in time").expect("a state");
    assert_eq!(contract::parts::<OneFile>(&document), [("a.yaml".to_owned(), "one".to_owned())]);
}
