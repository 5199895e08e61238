//! TLS 1.3 between nodes: with keys that were made for this run and mean nothing, or with certificates that do.
//!
//! Without certificates the two sides show raw public keys (RFC 7250), not self-signed certificates: what is made here
//! carries no name that could be believed, and there is no X.509 to parse. TLS then gives a channel that nobody listens
//! in on, and the proofs, which are bound to it, say with whom.

use super::{
    Broken,
    prove::{BINDING_BYTES, Binding},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
        UnixTime, pem::PemObject,
    },
    server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// What both sides say they speak: a client of another protocol ends here.
const PROTOCOL: &[u8] = b"trine-peer";
/// Of what TLS exports for the proofs.
const EXPORT_LABEL: &[u8] = b"EXPORTER-trine-peer-proof";
/// An Ed25519 key in PKCS #8, up to the key itself.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Bytes of randomness for a key.
pub(super) const SEED_BYTES: usize = 32;

/// Certificates of this node and of who signed those of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificates {
    /// PEM: this node's certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// PEM: the authority whose certificates are believed.
    pub authority: PathBuf,
}

/// Why the peer door has no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("{0}")]
    Config(#[from] rustls::Error),
}

/// Both ends of TLS, for all connections of a node.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// Both sides have shown certificates that were checked.
    certified: bool,
}

impl Tls {
    /// With a key that is made now.
    ///
    /// # Errors
    /// When the library does not take it; a defect.
    pub(crate) fn own(seed: [u8; SEED_BYTES]) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let pkcs8 = [&PKCS8_ED25519[..], &seed].concat();
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
        let signer = provider.key_provider.load_private_key(pkcs8)?;
        let public = signer.public_key().expect("ring tells the public half of its keys");
        let shown = CertificateDer::from(public.to_vec());
        let shown = Arc::new(CertifiedKey::new(vec![shown], signer));
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(shown)));
        let believing = Arc::new(AnyKey(provider.signature_verification_algorithms));
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(believing)
            .with_no_client_auth();
        Ok(Self::of(server, client, false))
    }

    /// With certificates of both sides.
    ///
    /// # Errors
    /// When one of the files does not read.
    pub(crate) fn certified(files: &PeerCertificates) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for root in certificates(&files.authority)? {
            roots.add(root)?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| unreadable(&files.authority)(error))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Self::of(server, client, true))
    }

    fn of(mut server: ServerConfig, mut client: ClientConfig, certified: bool) -> Self {
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Links live long: what would be kept to make the next handshake shorter is only something to steal.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        client.resumption = Resumption::disabled();
        client.enable_sni = certified;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Self { acceptor, connector: TlsConnector::from(Arc::new(client)), certified }
    }

    /// Whether both sides show certificates that are checked.
    pub(super) fn is_certified(&self) -> bool {
        self.certified
    }

    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
    ) -> Result<(TlsStream<S>, Binding), Broken> {
        let stream = self.acceptor.accept(socket).await.map_err(Broken::Tls)?;
        let connection = stream.get_ref().1;
        let exported = connection.export_keying_material([0; BINDING_BYTES], EXPORT_LABEL, None);
        let spoken = connection.alpn_protocol() == Some(PROTOCOL);
        bound(stream.into(), exported, spoken)
    }

    /// `host` is checked against the other side's certificate, if there are certificates.
    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
        host: &str,
    ) -> Result<(TlsStream<S>, Binding), Broken> {
        let name = if self.certified { host } else { "peer" };
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Broken::Tls(std::io::Error::other("the host is no name and no address"))
        })?;
        let stream = self.connector.connect(name, socket).await.map_err(Broken::Tls)?;
        let connection = stream.get_ref().1;
        let exported = connection.export_keying_material([0; BINDING_BYTES], EXPORT_LABEL, None);
        let spoken = connection.alpn_protocol() == Some(PROTOCOL);
        bound(stream.into(), exported, spoken)
    }
}

fn bound<S>(
    stream: TlsStream<S>,
    exported: Result<[u8; BINDING_BYTES], rustls::Error>,
    spoken: bool,
) -> Result<(TlsStream<S>, Binding), Broken> {
    if !spoken {
        return Err(Broken::NoHello);
    }
    let exported = exported.map_err(|error| Broken::Tls(std::io::Error::other(error)))?;
    Ok((stream, Binding(exported)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(unreadable(path))?.collect();
    let found = found.map_err(unreadable(path))?;
    if found.is_empty() {
        return Err(unreadable(path)("there is no certificate in it"));
    }
    Ok(found)
}

fn unreadable<E: fmt::Display>(path: &Path) -> impl Fn(E) -> TlsError {
    let path = path.to_owned();
    move |error| TlsError::File { path: path.clone(), problem: error.to_string() }
}

/// Believes any key: who has it is what the proofs are about. That the other side has it, TLS does check.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
