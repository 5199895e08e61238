//! Nodes that know each other by certificates.

use super::{soon, tls};
use crate::peer::{Broken, Tls, tls::PeerCertificates};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use tempfile::TempDir;
use tokio::{io::duplex, join};

/// An authority with a directory for what it signs.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).expect("a certificate");
        fs::write(directory.path().join("ca.pem"), own.pem()).expect("a file");
        Self { directory, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// A certificate for a node of this name.
    fn sign(&self, name: &str) -> PeerCertificates {
        let key = KeyPair::generate().expect("randomness");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        let (certificate, file) = (self.path(&format!("{name}.pem")), self.path(name));
        fs::write(&certificate, signed.pem()).expect("a file");
        fs::write(&file, key.serialize_pem()).expect("a file");
        PeerCertificates { certificate, key: file, authority: self.path("ca.pem") }
    }
}

async fn meet(dialing: &Tls, host: &str, accepting: &Tls) -> [Option<Broken>; 2] {
    let (near, far) = duplex(64 * 1024);
    let accepting = async {
        let (mut stream, _) = accepting.accept(far).await?;
        // What a client's certificate is worth, the client hears with the first bytes.
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"x").await.map_err(Broken::Tls)?;
        tokio::io::AsyncWriteExt::flush(&mut stream).await.map_err(Broken::Tls)
    };
    let dialing = async {
        let (mut stream, _) = dialing.connect(near, host).await?;
        tokio::io::AsyncReadExt::read_u8(&mut stream).await.map_err(Broken::Tls)
    };
    let (dialed, accepted) = soon(async { join!(dialing, accepting) }).await;
    [dialed.err(), accepted.err()]
}

#[tokio::test]
async fn certificates_of_one_authority_are_believed_and_no_others() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let of = |files: &PeerCertificates| Tls::certified(files).expect("they read");
    let (a, b) = (of(&ours.sign("a.trine")), of(&ours.sign("10.0.0.7")));
    let stranger = of(&theirs.sign("a.trine"));
    assert!(a.is_certified() && !tls(1).is_certified());
    assert!(matches!(meet(&a, "10.0.0.7", &b).await, [None, None]));
    assert!(matches!(meet(&b, "a.trine", &a).await, [None, None]));
    for (dialing, host, accepting) in [
        (&b, "b.trine", &a),        // another name than was dialed
        (&b, "a.trine", &stranger), // another authority's
        (&stranger, "a.trine", &a),
        (&tls(1), "a.trine", &a), // none at all
        (&a, "a.trine", &tls(1)),
    ] {
        let [dialed, accepted] = meet(dialing, host, accepting).await;
        assert!(dialed.is_some() && accepted.is_some(), "{host}: {dialed:?} {accepted:?}");
    }
}

#[test]
fn a_file_that_does_not_read_is_named() {
    let authority = Authority::new();
    let whole = authority.sign("a");
    for (files, said) in [
        (PeerCertificates { certificate: "/nowhere".into(), ..whole.clone() }, "/nowhere"),
        (PeerCertificates { key: whole.certificate.clone(), ..whole.clone() }, "a.pem"),
        (PeerCertificates { authority: whole.key.clone(), ..whole.clone() }, "no certificate"),
    ] {
        let error = Tls::certified(&files).err().expect("refused").to_string();
        assert!(error.contains(said), "{error}");
    }
}
