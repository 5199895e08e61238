//! Introductions: said once both sides have proved that they belong, before the first frame.

use super::{Broken, Stage};
use cluster::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of an introduction, or of an answer to one.
pub(super) const INTRODUCTION_BYTES_MAX: usize = 4 * 1024;

const TAKEN: u8 = 0;
const REFUSED: u8 = 1;

/// What an acceptor says to an introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// With what the dialer is welcomed (empty: nothing), or why it is refused.
    pub(super) verdict: Result<Vec<u8>, No>,
    /// Who says so.
    pub(super) introduction: Vec<u8>,
}

/// Why an acceptor takes nothing from a node that has proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct No {
    /// For the other node, if it is something that it must know.
    pub(super) refusal: Option<Refusal>,
    /// For people.
    pub(super) why: String,
}

impl No {
    fn code(&self) -> u8 {
        match self.refusal {
            None => 0,
            Some(Refusal::Itself) => 1,
            Some(Refusal::OtherCluster) => 2,
            Some(Refusal::Removed) => 3,
            Some(Refusal::Twin) => 4,
            Some(Refusal::Protocols) => 5,
        }
    }

    fn of(said: &[u8]) -> Self {
        let (code, why) = said.split_first().unwrap_or((&0, &[]));
        let refusal = match code {
            1 => Some(Refusal::Itself),
            2 => Some(Refusal::OtherCluster),
            3 => Some(Refusal::Removed),
            4 => Some(Refusal::Twin),
            5 => Some(Refusal::Protocols),
            // Of a newer build: there are words for it still.
            _ => None,
        };
        // It goes into a log line.
        let why = String::from_utf8_lossy(why).chars().filter(|c| !c.is_control()).collect();
        Self { refusal, why }
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, said) = match &self.verdict {
            Ok(welcome) => (TAKEN, welcome.clone()),
            Err(no) => (REFUSED, [&[no.code()], no.why.as_bytes()].concat()),
        };
        // A reason is for people; what does not fit of it is lost.
        let said = &said[..said.len().min(INTRODUCTION_BYTES_MAX / 2)];
        let len = u16::try_from(said.len()).expect("cut above");
        [&[kind][..], &len.to_be_bytes(), said, &self.introduction].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        let cut = || Broken::Introduction("the answer is cut off".to_owned());
        let [kind, high, low, rest @ ..] = bytes else { return Err(cut()) };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (said, introduction) = rest.split_at_checked(len).ok_or_else(cut)?;
        let verdict = match *kind {
            TAKEN => Ok(said.to_vec()),
            REFUSED => Err(No::of(said)),
            other => {
                return Err(Broken::Introduction(format!("an answer of unknown kind {other}")));
            }
        };
        Ok(Self { verdict, introduction: introduction.to_vec() })
    }
}

pub(super) async fn say<S: AsyncWrite + Unpin>(
    stream: &mut S,
    message: &[u8],
) -> Result<(), Broken> {
    let at = Broken::at(Stage::Introduction);
    let len =
        u16::try_from(message.len()).ok().filter(|len| usize::from(*len) <= INTRODUCTION_BYTES_MAX);
    let len = len.ok_or_else(|| Broken::Introduction("ours is too long".to_owned()))?;
    stream.write_all(&[&len.to_be_bytes()[..], message].concat()).await.map_err(&at)?;
    stream.flush().await.map_err(at)
}

pub(super) async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Broken> {
    let at = Broken::at(Stage::Introduction);
    let len = usize::from(stream.read_u16().await.map_err(&at)?);
    if len > INTRODUCTION_BYTES_MAX {
        return Err(Broken::Introduction(format!("{len} bytes are too many")));
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await.map_err(at)?;
    Ok(message)
}
