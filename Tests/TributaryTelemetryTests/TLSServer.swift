import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An HTTPS server in Python that answers 200 and tells of each request: its path, its size, and the name in the client's certificate.
///
/// It ends with ``stop()``, or with this process, whose end closes its input.
final class TLSServer {
    struct Request: Equatable {
        var path: String
        var bytes: Int
        var client: String
    }

    let port: Int
    private let id: pid_t
    private let input: Int32
    private let output: Int32
    private var rest: [UInt8] = []

    private static let script = """
        import http.server, os, ssl, sys, threading
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
        print(server.server_port, flush=True)
        sys.stdin.read()
        os._exit(0)
        """

    /// Starts a server with a certificate.
    ///
    /// - Parameter clients: the certificate that those of clients are checked against; nil to want none.
    init(_ certificate: TLSFixture.Pair, clients: String? = nil) throws {
        var toServer: [Int32] = [0, 0]
        var fromServer: [Int32] = [0, 0]
        guard pipe(&toServer) == 0, pipe(&fromServer) == 0 else { throw FolderFailure() }
        for end in toServer + fromServer { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let words =
            ["python3", "-c", TLSServer.script, certificate.certificate, certificate.key] + (clients.map { [$0] } ?? [])
        id = try TLSFixture.spawn(words, input: toServer[0], output: fromServer[1])
        close(toServer[0])
        close(fromServer[1])
        input = toServer[1]
        output = fromServer[0]
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(output, &byte, 1) == 1, byte != 0x0a { line.append(byte) }
        guard let port = Int(String(decoding: line, as: UTF8.self)) else { throw FolderFailure() }
        self.port = port
    }

    /// The name in the certificate, and the port.
    var url: String { "https://localhost:\(port)" }

    /// Ends the server, and tells which requests it had.
    func stop() -> [Request] {
        close(input)
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output, &chunk, chunk.count)
            guard count > 0 else { break }
            rest += chunk[..<count]
        }
        close(output)
        var end: Int32 = 0
        while waitpid(id, &end, 0) < 0 && errno == EINTR {}
        return String(decoding: rest, as: UTF8.self).split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return Request(
                path: words.first.map { String($0) } ?? "", bytes: words.count > 1 ? Int(words[1]) ?? -1 : -1,
                client: words.last.map { String($0) } ?? "")
        }
    }
}

/// Certificates and keys made by openssl.
enum TLSFixture {
    struct Pair {
        var certificate: String
        var key: String
    }

    /// Whether the programs are there.
    static var isPossible: Bool { exists("openssl") && exists("python3") }

    private static func exists(_ name: String) -> Bool {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
    }

    /// A certificate that nobody but its file vouches for, of the host `localhost`.
    static func selfSigned(_ name: String, in folder: String) throws -> Pair {
        let pair = Pair(certificate: "\(folder)/\(name).pem", key: "\(folder)/\(name).key")
        let words = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost", "-keyout", pair.key, "-out",
            pair.certificate,
        ]
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        let id = try spawn(words, input: nothing, output: nothing, errors: nothing)
        var end: Int32 = 0
        while waitpid(id, &end, 0) < 0 && errno == EINTR {}
        guard end == 0 else { throw FolderFailure() }
        return pair
    }

    static func spawn(_ words: [String], input: Int32, output: Int32, errors: Int32 = 2) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        if errors != 2 { posix_spawn_file_actions_adddup2(&actions, errors, 2) }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id: pid_t = 0
        guard posix_spawnp(&id, words[0], &actions, nil, &arguments, environ) == 0 else { throw FolderFailure() }
        return id
    }
}
