internal import CMicroHTTPD
internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a client asked for; only GET and HEAD get this far.
struct HTTPRequest {
    /// The path, decoded.
    let path: String
    /// The values of all `Accept` headers, joined.
    let accept: String
    /// The query's values by name.
    let query: [String: String]
}

/// An answer that is there, or one that takes time.
enum HTTPAnswer {
    case now(WebResponse)
    case later(@Sendable () async -> WebResponse)
}

/// The server: one thread of libmicrohttpd's, on which answers from what is in memory are made; connections of others are suspended until they come.
///
/// Unchecked: the handle is written in `init` and, under the lock, in `stop`.
@safe final class HTTPServer: @unchecked Sendable {
    typealias Handler = @Sendable (HTTPRequest) -> HTTPAnswer

    /// The port that was bound.
    let port: UInt16
    private let daemon: Guarded<Daemon>
    private let exchange: Unmanaged<HTTPExchange>

    // An opaque handle of the library, used under the lock.
    @safe private struct Daemon: @unchecked Sendable { var handle: OpaquePointer? }

    init(_ configuration: WebConfiguration, handler: @escaping Handler) throws(WebError) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = configuration.port.bigEndian
        guard unsafe inet_pton(AF_INET, configuration.address, &address.sin_addr) == 1 else {
            throw WebError(.invalidAddress, "'\(configuration.address)' is no IPv4 address")
        }
        let names = configuration.hosts ?? (configuration.isLoopback ? ["localhost", configuration.address] : nil)
        let exchange = unsafe Unmanaged.passRetained(HTTPExchange(names, handler))
        let flags =
            MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_USE_ERROR_LOG.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
        let started = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe Daemon(
                handle: Self.start(flags, configuration, UnsafeMutableRawPointer(address), exchange.toOpaque()))
        }.handle
        guard let started = unsafe started else {
            let code = errno
            unsafe exchange.release()
            throw WebError(
                .notBound,
                "can't listen on \(configuration.address):\(configuration.port): \(unsafe String(cString: strerror(code)))"
            )
        }
        port = unsafe UInt16(truncatingIfNeeded: mhd_bound_port(started))
        daemon = unsafe Guarded(Daemon(handle: started))
        unsafe self.exchange = exchange
    }

    private static func start(
        _ flags: UInt32, _ configuration: WebConfiguration, _ address: UnsafeMutableRawPointer,
        _ context: UnsafeMutableRawPointer
    ) -> OpaquePointer? {
        let ended: MHD_RequestCompletedCallback = unsafe completed
        func option(_ kind: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil) -> MHD_OptionItem {
            unsafe MHD_OptionItem(option: kind, value: value, ptr_value: pointer)
        }
        let options = unsafe [
            option(.EXTERNAL_LOGGER, Int(mhd_discarding_log())), option(.SOCK_ADDR, 0, address),
            option(.CONNECTION_LIMIT, configuration.maximumConnections),
            option(.CONNECTION_TIMEOUT, Int(configuration.timeout.components.seconds)),
            option(.CONNECTION_MEMORY_LIMIT, 16384),
            option(.STRICT_FOR_CLIENT, 1), option(.NOTIFY_COMPLETED, unsafeBitCast(ended, to: Int.self), context),
            option(.END, 0),
        ]
        return unsafe options.withUnsafeBufferPointer { options in
            guard let base = options.baseAddress else { return nil }
            return unsafe mhd_start(flags, configuration.port, answer, context, base)
        }
    }

    /// Stops listening, lets answers that were begun end for a second at most, and ends the thread.
    func stop() {
        let handle = unsafe daemon.withLock { daemon in unsafe Daemon(handle: daemon.handle.take()) }.handle
        guard let handle = unsafe handle else { return }
        let socket = unsafe MHD_quiesce_daemon(handle)
        if socket >= 0 { close(socket) }
        let open = unsafe exchange.takeUnretainedValue()
        for _ in 0..<1000 where open.count.load(ordering: .acquiring) > 0 { usleep(1000) }
        // The library must not be stopped while connections are suspended: what is not there by now won't be waited for.
        open.late.stop()
        for _ in 0..<1000 where open.late.isWaiting { usleep(1000) }
        unsafe MHD_stop_daemon(handle)
        unsafe exchange.release()
    }

    deinit { stop() }
}

/// What the C callback finds at its context.
final class HTTPExchange: Sendable {
    /// Values of `Host` that are answered, without port; nil for any.
    let names: [String]?
    let handler: HTTPServer.Handler
    /// The requests whose answers take time.
    let late = LateAnswers()
    /// How many requests were begun and not yet answered in full.
    let count = Atomic(0)

    init(_ names: [String]?, _ handler: @escaping HTTPServer.Handler) {
        self.names = names
        self.handler = handler
    }

    @unsafe func answer(_ connection: OpaquePointer?, _ method: String, _ path: String) -> HTTPAnswer {
        guard method == "GET" || method == "HEAD" else {
            return .now(.text("only GET and HEAD\n", status: 405))
        }
        // A page of another site that has its name point here must not read what only this host may see.
        if let names {
            let hosts = unsafe headers(connection, "Host")
            guard !hosts.isEmpty, hosts.allSatisfy({ names.contains(Self.name(ofHost: $0)) }) else {
                return .now(.text("this host name is not served here\n", status: 421))
            }
        }
        return unsafe handler(
            HTTPRequest(
                path: path, accept: headers(connection, "Accept").joined(separator: ","),
                query: Dictionary(values(connection, .GET_ARGUMENT_KIND)) { $1 }))
    }

    static func name(ofHost host: String) -> String {
        guard let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy(\.isNumber) else {
            return host.lowercased()
        }
        return host[..<colon].lowercased()
    }

    // All values: a request may carry a header twice.
    @unsafe private func headers(_ connection: OpaquePointer?, _ name: String) -> [String] {
        let name = name.lowercased()
        return unsafe values(connection, .HEADER_KIND).filter { $0.name.lowercased() == name }.map(\.value)
    }

    @unsafe private func values(
        _ connection: OpaquePointer?, _ kind: MHD_ValueKind
    ) -> [(name: String, value: String)] {
        final class Found { var values: [(name: String, value: String)] = [] }
        let found = Found()
        unsafe MHD_get_connection_values(
            connection, kind,
            { context, _, key, value in
                guard let context = unsafe context, let key = unsafe key else { return .YES }
                let text = unsafe value.map { unsafe String(cString: $0) } ?? ""
                let found = unsafe Unmanaged<Found>.fromOpaque(context).takeUnretainedValue()
                found.values.append((name: unsafe String(cString: key), value: text))
                return .YES
            }, Unmanaged.passUnretained(found).toOpaque())
        return found.values
    }
}

// The library calls this once without a body, once for each piece of one, and once more for the answer.
private func answer(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
    _ uploadSize: UnsafeMutablePointer<Int>?, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context = unsafe context, let state = unsafe state, let url = unsafe url, let method = unsafe method
    else { return .NO }
    let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    if unsafe state.pointee == nil {
        // Any pointer that isn't null says that the headers have been seen.
        unsafe state.pointee = context
        exchange.count.add(1, ordering: .relaxed)
        return .YES
    }
    if let uploadSize = unsafe uploadSize, unsafe uploadSize.pointee > 0 {
        // Nothing here takes a body; what comes is thrown away and the answer follows.
        unsafe uploadSize.pointee = 0
        return .YES
    }
    if unsafe state.pointee != context, let waiting = unsafe state.pointee {
        // Its answer has come.
        let late = unsafe Unmanaged<LateAnswer>.fromOpaque(waiting).takeUnretainedValue()
        return unsafe send(late.response, connection)
    }
    switch unsafe exchange.answer(connection, String(cString: method), String(cString: url)) {
    case .now(let answer): return unsafe send(answer, connection)
    case .later(let make):
        guard let connection = unsafe connection else { return .NO }
        guard let late = unsafe exchange.late.suspend(connection, make) else {
            return unsafe send(LateAnswer.stopping, connection)
        }
        unsafe state.pointee = Unmanaged.passRetained(late).toOpaque()
        late.begin()
        return .YES
    }
}

@unsafe private func send(_ answer: WebResponse, _ connection: OpaquePointer?) -> MHD_Result {
    let body = answer.body
    let response = unsafe body.withUnsafeBytes { bytes in
        unsafe MHD_create_response_from_buffer(
            bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let response = unsafe response else { return .NO }
    for (name, value) in [
        ("Content-Type", answer.contentType), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
    ] {
        unsafe MHD_add_response_header(response, name, value)
    }
    if answer.status == 405 { unsafe MHD_add_response_header(response, "Allow", "GET, HEAD") }
    let result = unsafe MHD_queue_response(connection, UInt32(clamping: answer.status), response)
    unsafe MHD_destroy_response(response)
    return result
}

private func completed(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ end: MHD_RequestTerminationCode
) {
    guard let context = unsafe context else { return }
    let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    if let state = unsafe state, let waiting = unsafe state.pointee, unsafe waiting != context {
        let late = unsafe Unmanaged<LateAnswer>.fromOpaque(waiting).takeRetainedValue()
        exchange.late.forget(late)
    }
    exchange.count.subtract(1, ordering: .releasing)
}
