//! The rules of accessibility that the browser tests apply: axe-core, which the registry of npm has.

use std::fs;

use crate::collector;
use crate::failure::Result;
use crate::runner::Runner;

const VERSION: &str = "4.14.1";

/// The SHA-512 of its archive, as the registry states it.
const INTEGRITY: &str =
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==";

/// Fetches an archive, compares its hash, and writes one of its files.
const DOWNLOAD: &str = "
import base64, hashlib, io, sys, tarfile, urllib.request
url, integrity, file = sys.argv[1:]
archive = urllib.request.urlopen(url, timeout=60).read()
if base64.b64encode(hashlib.sha512(archive).digest()).decode() != integrity:
    sys.exit(url + ' is not the archive that was chosen')
with tarfile.open(fileobj=io.BytesIO(archive)) as files:
    open(file, 'wb').write(files.extractfile('package/axe.min.js').read())
";

/// Downloads it into the build directory, once, and sets the variable that leads the tests to it. Where npm's registry cannot
/// be reached, the tests go without it.
pub(crate) fn install(runner: &mut Runner) -> Result {
    let file = collector::target().join(format!("axe-core-{VERSION}.js"));
    if !file.is_file() {
        println!("downloading axe-core {VERSION} from npm");
        let url = format!("https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz");
        // In place under another name first, since a run may be killed.
        let part = file.with_extension("part");
        let mut python = runner.command("python3");
        if !runner.succeeds(python.args(["-c", DOWNLOAD, &url, INTEGRITY]).arg(&part))? {
            println!("axe-core cannot be downloaded: its rules are not applied");
            return Ok(());
        }
        fs::rename(part, &file)?;
    }
    runner.set("MONITOR_TEST_AXE", file);
    Ok(())
}
