//! Where a command finds its configuration and the running agent.

use std::path::{Path, PathBuf};

use crate::config::{Config, DEFAULT_FILE, Loaded};

use super::failure::{Failure, Kind};

/// `--config`
#[derive(clap::Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigFiles {
    /// Configuration file; may be given several times, later files override earlier ones [default: /etc/vifd/vifd.conf]
    #[arg(long, value_name = "FILE", global = true, env = "VIFD_CONFIG")]
    pub config: Vec<PathBuf>,
}

impl ConfigFiles {
    /// Reads and checks the files; the default one must exist.
    pub fn load(&self) -> Result<Loaded, Failure> {
        self.read(&self.files())
    }

    /// Like [`ConfigFiles::load`], but without `--config` and without the default file the built-in defaults do.
    pub fn load_or_defaults(&self) -> Result<Loaded, Failure> {
        let mut files = self.files();
        if self.config.is_empty() {
            files.retain(|file| file.exists());
        }
        self.read(&files)
    }

    fn files(&self) -> Vec<PathBuf> {
        if self.config.is_empty() {
            vec![Path::new(DEFAULT_FILE).to_owned()]
        } else {
            self.config.clone()
        }
    }

    fn read(&self, files: &[PathBuf]) -> Result<Loaded, Failure> {
        Config::load(files).map_err(|error| Failure::new(Kind::Usage, &error))
    }
}

/// `--socket`, or the configuration that names it
#[derive(clap::Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct AgentPlace {
    /// Admin socket of the agent; no configuration is read [default: vifd.sock in the run_dir of the configuration]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    #[command(flatten)]
    files: ConfigFiles,
}

impl AgentPlace {
    /// The socket.
    pub fn socket(&self) -> Result<PathBuf, Failure> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => Ok(self.files.load_or_defaults()?.config.admin_socket()),
        }
    }
}
