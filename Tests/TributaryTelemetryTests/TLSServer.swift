import TestSupport

/// An HTTPS server in Python that answers 200 and tells of each request: its path, its size, and the name in the client's certificate.
///
/// It ends with ``stop()``, with the value, or with the tests.
final class TLSServer {
    struct Request: Equatable {
        var path: String
        var bytes: Int
        var client: String
    }

    let port: Int
    private let program: Program

    private static let script = """
        import http.server, os, ssl, sys, threading, time
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                names = (self.connection.getpeercert() or {}).get('subject', ())
                name = ''.join(value for part in names for key, value in part if key == 'commonName')
                print(self.path, len(body), name or '-', flush=True)
                self.send_response(200)
                self.send_header('Content-Length', '0')
                self.end_headers()
            def log_message(self, *words): pass
        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *words): pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        if len(sys.argv) > 3:
            context.load_verify_locations(sys.argv[3])
            context.verify_mode = ssl.CERT_REQUIRED
        server = Server(('127.0.0.1', 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        parent = os.getppid()
        print(server.server_port, flush=True)
        while os.getppid() == parent: time.sleep(0.5)
        """

    /// Starts a server with a certificate.
    ///
    /// - Parameters:
    ///   - pair: the server's certificate and key.
    ///   - clients: the certificate that those of clients are checked against; nil to want none.
    init(_ pair: Certificate, clients: String? = nil) throws {
        var words = ["python3", "-c", TLSServer.script, pair.path, pair.key]
        if let clients { words.append(clients) }
        let program = try Program(words)
        var line = ""
        while !line.hasSuffix("\n") {
            let more = program.read(milliseconds: 30_000)
            guard !more.isEmpty else { throw TestFailure("the HTTPS server has not started") }
            line += more
        }
        guard let port = Int(line.dropLast()) else { throw TestFailure("the HTTPS server said: \(line)") }
        self.program = program
        self.port = port
    }

    /// The name in the certificate, and the port.
    var url: String { "https://localhost:\(port)" }

    /// Ends the server, and tells which requests it had.
    func stop() -> [Request] {
        program.kill()
        return program.readToEnd().split(separator: "\n").map { line in
            let words = line.split(separator: " ").map { String($0) }
            return Request(
                path: words.first ?? "", bytes: words.count > 1 ? Int(words[1]) ?? -1 : -1, client: words.last ?? "")
        }
    }
}

/// A certificate that nobody but its file vouches for, of the host `localhost`, and its key.
struct Certificate {
    var path: String
    var key: String

    /// Whether the programs are there.
    static var isPossible: Bool { Program.exists("openssl") && Program.exists("python3") }

    init(_ name: String, in folder: TemporaryFolder) throws {
        path = "\(folder.path)/\(name).pem"
        key = "\(folder.path)/\(name).key"
        let program = try Program(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                path,
            ], withErrors: true)
        let words = program.readToEnd()
        guard program.wait() == 0 else { throw TestFailure("openssl: \(words)") }
    }
}
