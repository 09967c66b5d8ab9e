import Synchronization
import TestSupport
import TributaryCore
import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An HTTP server that answers as it was told, one answer a request; the last one is repeated.
final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        case status(Int, headers: [String] = [], body: [UInt8] = [])
        /// Closes the connection without an answer.
        case cut
        /// Answers after some time.
        case slow(milliseconds: Int64)

        static let ok = Answer.status(200)
    }

    struct Request: Sendable {
        var path: String
        var headers: [String: String]
        var body: [UInt8]
        var time: Int64
        var connection: Int

        /// The body, decompressed if it was compressed.
        var plain: [UInt8] {
            headers["content-encoding"] == "gzip" ? (try? Gzip.decompress(body)) ?? [] : body
        }
    }

    private struct State {
        var requests: [Request] = []
        var script: [Answer]
        var connections = 0
        var open: [Int32] = []
    }

    let port: UInt16
    private let listener: Int32
    private let state: Guarded<State>

    init(_ script: [Answer]) throws {
        state = Guarded(State(script: script))
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard bound else { throw SystemFailure("listen") }
        port = UInt16(bigEndian: address.sin_port)
        startThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                let number = state.withLock { state in
                    state.connections += 1
                    state.open.append(connection)
                    return state.connections
                }
                startThread { [self] in serve(connection, number) }
            }
        }
    }

    /// Ends the server: connections are refused from now on.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for connection in state.withLock({ $0.open }) { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    var requests: [Request] { state.withLock { $0.requests } }

    private func serve(_ connection: Int32, _ number: Int) {
        defer { close(connection) }
        var received: [UInt8] = []
        while let request = read(connection, &received, number) {
            let answer = state.withLock { state in
                state.requests.append(request)
                return state.script.count > 1 ? state.script.removeFirst() : state.script.first ?? .cut
            }
            switch answer {
            case .cut: return
            case .slow(let milliseconds):
                usleep(UInt32(milliseconds * 1000))
                send(connection, 200, [], [])
            case .status(let status, let headers, let body): send(connection, status, headers, body)
            }
        }
    }

    private func read(_ connection: Int32, _ received: inout [UInt8], _ number: Int) -> Request? {
        while true {
            if let end = endOfHead(received) {
                let lines = String(decoding: received[..<end], as: UTF8.self).split(separator: "\r\n")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
                }
                let length = headers["content-length"].flatMap(Int.init) ?? 0
                if received.count >= end + 4 + length {
                    let body = Array(received[(end + 4)..<(end + 4 + length)])
                    received.removeFirst(end + 4 + length)
                    let words = lines.first?.split(separator: " ") ?? []
                    return Request(
                        path: words.count > 1 ? String(words[1]) : "", headers: headers, body: body,
                        time: TimeSource.system.wall.milliseconds, connection: number)
                }
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            received.append(contentsOf: chunk[..<count])
        }
    }

    private func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (0...(bytes.count - 4)).first { bytes[$0...].starts(with: [13, 10, 13, 10]) }
    }

    private func send(_ connection: Int32, _ status: Int, _ headers: [String], _ body: [UInt8]) {
        var head = "HTTP/1.1 \(status) Word\r\nContent-Length: \(body.count)\r\n"
        for header in headers { head += header + "\r\n" }
        let bytes = Array((head + "\r\n").utf8) + body
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
            return nil
        }, Unmanaged.passRetained(ThreadBody(body)).toOpaque())
    pthread_detach(thread)
}
