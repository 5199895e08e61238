//! Archives of configs: one that goes out and comes back, and those that attack whoever unpacks them.

use crate::{
    setup::{Target, soon},
    wire::{Reply, connect, read_reply},
};
use tokio::io::AsyncWriteExt;

async fn import(target: &Target, headers: &str, archive: &[u8]) -> Reply {
    let head = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n";
    let body = [head.as_bytes(), archive, b"\r\n--x--\r\n"].concat();
    let request = format!(
        "POST /nacos/v1/cs/configs?import=true&policy=OVERWRITE HTTP/1.1\r\nhost: x\r\n{headers}\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = connect(target.api).await;
    socket.write_all(request.as_bytes()).await.expect("sent");
    socket.write_all(&body).await.expect("sent");
    soon("an answer", read_reply(&mut socket)).await.expect("an answer")
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let files: Vec<(std::sync::Arc<str>, std::sync::Arc<str>)> =
        files.iter().map(|(name, content)| ((*name).into(), (*content).into())).collect();
    nacos::pack(&files).to_vec()
}

#[tokio::test]
async fn what_was_exported_comes_back_by_an_import() {
    let target = Target::start().await;
    target.publish("one.yaml", "a%3A+1").await;
    target.publish("two", "zwei").await;
    let exported = target.normal("GET", "/nacos/v1/cs/configs?exportV2=true&group=g", "").await;
    assert_eq!(exported.status, 200);
    assert!(
        exported.head.contains("content-disposition: attachment;filename=nacos_config_export_")
    );
    for data_id in ["one.yaml", "two"] {
        let path = format!("/nacos/v1/cs/configs?group=g&dataId={data_id}");
        target.normal("DELETE", &path, "").await;
        assert_eq!(target.config(data_id).await.status, 404);
    }
    let token = format!("accessToken: {}\r\n", target.token);
    let reply = import(&target, &token, &exported.body).await;
    assert!(reply.text().contains("\"succCount\":2,\"skipCount\":0"), "{}", reply.text());
    assert_eq!(target.config("one.yaml").await.text(), "a: 1");
    assert_eq!(target.config("two").await.text(), "zwei");
    target.unharmed().await;
}

#[tokio::test]
async fn hostile_archives_are_refused_whole_and_publish_nothing() {
    let target = Target::start().await;
    let token = format!("accessToken: {}\r\n", target.token);
    let zeros = "0".repeat(90 << 20);
    let bomb = archive(&[("g/stolen", "x"), ("g/bomb", &zeros)]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let mut lies = archive(&[("g/stolen", "x"), ("g/lie", "short")]);
    let directory = lies.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a directory");
    lies[directory + 24..directory + 28].copy_from_slice(&0xffff_0000_u32.to_le_bytes());
    for hostile in [
        bomb,
        lies,
        archive(&[("g/stolen", "x"), ("../../etc/passwd", "x")]),
        archive(&[("g/stolen", "x"), ("/etc/passwd", "x")]),
        archive(&[("g/stolen", "x"), ("g/nul\0", "x")]),
        archive(&[("g/stolen", "x"), ("g/stolen", "y")]),
        archive(&[("g/stolen", "x"), (".metadata.yml", "metadata: &a [*a,*a,*a]")]),
        b"PK".repeat(1_000),
        Vec::new(),
    ] {
        let reply = import(&target, &token, &hostile).await;
        let text = reply.text();
        assert!(text.contains("\"code\":10000") && text.contains("\"succCount\":0"), "{text}");
        assert_eq!(target.config("stolen").await.status, 404);
    }
    let good = archive(&[("g/stolen", "x")]);
    assert_eq!(import(&target, "", &good).await.status, 403, "nobody imports without a login");
    assert_eq!(target.config("stolen").await.status, 404);
    target.unharmed().await;
}
