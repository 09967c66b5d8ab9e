internal import CCurl
internal import TributaryCore

/// One exchange at a time with HTTP servers over connections that stay open: an easy handle of libcurl.
///
/// Used by one thread. ``body`` must not be changed while an exchange runs: libcurl reads it where it is.
@safe final class HTTPTransfer {
    /// What is sent; empty for a GET.
    let body = Owned(ByteWriter(capacity: 1 << 12))
    fileprivate let handle: OpaquePointer
    fileprivate var answer: [UInt8] = []
    fileprivate var isCut = false
    fileprivate var limit = 0
    private var list: UnsafeMutablePointer<curl_slist>?
    // libcurl writes what went wrong here.
    private let words = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// Makes a handle; nil if libcurl has no memory.
    init?() {
        guard HTTPLibrary.isReady, let handle = unsafe curl_easy_init() else {
            unsafe words.deallocate()
            return nil
        }
        unsafe self.handle = OpaquePointer(handle)
        unsafe list = nil
        unsafe words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(list)
        unsafe words.deallocate()
    }

    fileprivate var easy: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(handle) }

    /// Sets the handle up for an exchange.
    func prepare(_ target: HTTPTarget, isPost: Bool) {
        unsafe curl_easy_reset(easy)
        unsafe curl_slist_free_all(list)
        unsafe list = nil
        answer.removeAll(keepingCapacity: true)
        isCut = false
        limit = target.answerLimit
        unsafe words.pointee = 0
        unsafe curl_set_pointer(easy, CURLOPT_ERRORBUFFER, words)
        unsafe curl_set_string(easy, CURLOPT_URL, target.url)
        unsafe curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        unsafe curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // Answers come as they were before they were compressed, whether that was asked for or not.
        unsafe curl_set_string(easy, CURLOPT_ACCEPT_ENCODING, "gzip")
        unsafe curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        // libcurl reckons in microseconds; a month is no limit any more.
        let timeout = Int(min(max(target.timeout, 1), 1 << 31))
        unsafe curl_set_long(easy, CURLOPT_TIMEOUT_MS, timeout)
        unsafe curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout)
        if let file = target.tls.certificate {
            unsafe curl_set_string(easy, CURLOPT_CAINFO, file)
            // The system's folder would be searched as well.
            unsafe curl_set_pointer(easy, CURLOPT_CAPATH, nil)
        }
        if let file = target.tls.clientCertificate { unsafe curl_set_string(easy, CURLOPT_SSLCERT, file) }
        if let file = target.tls.clientKey { unsafe curl_set_string(easy, CURLOPT_SSLKEY, file) }
        // Without the empty one, larger bodies wait a second for a "100 Continue".
        for line in target.headers + ["Expect:", "User-Agent: \(HTTPLibrary.userAgent)"] {
            unsafe list = curl_slist_append(list, line)
        }
        unsafe curl_set_pointer(easy, CURLOPT_HTTPHEADER, list)
        unsafe curl_set_write(easy, receiveAnswer, Unmanaged.passUnretained(self).toOpaque())
        guard isPost else { return }
        unsafe curl_set_long(easy, CURLOPT_POST, 1)
        give(body.value)
    }

    private func give(_ body: borrowing ByteWriter) {
        unsafe curl_set_off_t(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        // The address stays: the buffer is this object's alone, and nobody writes to it before the exchange is over.
        let bytes = body.bytes
        unsafe bytes.withUnsafeBytes { bytes in
            _ = unsafe curl_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress)
        }
    }

    /// What came of the exchange, once libcurl has ended it.
    func result(_ code: CURLcode) -> Result<HTTPAnswer, HTTPFailure> {
        guard code == CURLE_OK else {
            let own = unsafe String(cString: words)
            let reason = own.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : own
            return .failure(HTTPFailure(code: HTTPTransfer.meaning(code), reason: reason))
        }
        var status = 0
        unsafe curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        var wait: curl_off_t = 0
        unsafe curl_get_off_t(easy, CURLINFO_RETRY_AFTER, &wait)
        var type: UnsafeMutablePointer<CChar>?
        unsafe curl_get_string(easy, CURLINFO_CONTENT_TYPE, &type)
        let media = unsafe type.map { unsafe String(cString: $0) } ?? ""
        return .success(
            HTTPAnswer(
                status: status, body: answer, isCut: isCut,
                contentType: String(media.prefix { $0 != ";" && $0 != " " }).lowercased(),
                retryAfter: wait > 0 ? Int64(wait) : nil))
    }

    private static func meaning(_ code: CURLcode) -> HTTPFailure.Code {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_HTTP2,
            CURLE_HTTP2_STREAM:
            .cut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS:
            .untrusted
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
            CURLE_OUT_OF_MEMORY, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_BAD_CONTENT_ENCODING:
            .invalid
        default: .connect
        }
    }

    /// A whole exchange on the calling thread.
    func perform(_ target: HTTPTarget, isPost: Bool) throws(HTTPFailure) -> HTTPAnswer {
        prepare(target, isPost: isPost)
        return try result(unsafe curl_easy_perform(easy)).get()
    }
}

/// Keeps bytes of an answer; called by libcurl on the thread of the exchange.
private func receiveAnswer(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
    let total = size * count
    let kept = min(total, max(transfer.limit - transfer.answer.count, 0))
    unsafe transfer.answer.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: kept))
    if kept < total { transfer.isCut = true }
    // What isn't kept is read all the same: the status is worth having.
    return total
}

/// Any number of exchanges on one thread, which another can wake: a multi handle of libcurl.
///
/// Unchecked: all but ``wake()`` is called by one thread, and libcurl allows that call from any.
@safe final class HTTPTransfers: @unchecked Sendable {
    private let multi: OpaquePointer

    /// Makes a handle; nil if libcurl has no memory.
    init?() {
        guard HTTPLibrary.isReady, let handle = unsafe curl_multi_init() else { return nil }
        unsafe multi = OpaquePointer(handle)
    }

    deinit { unsafe curl_multi_cleanup(handle) }

    private var handle: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(multi) }

    /// Begins to send a transfer's body.
    func post(_ transfer: HTTPTransfer, to target: HTTPTarget) {
        transfer.prepare(target, isPost: true)
        unsafe curl_multi_add_handle(handle, transfer.easy)
    }

    /// Gives up an exchange.
    func cancel(_ transfer: HTTPTransfer) { unsafe curl_multi_remove_handle(handle, transfer.easy) }

    /// Waits for the network, for ``wake()`` or for `milliseconds`, whichever comes first, and moves the exchanges on.
    ///
    /// - Returns: the transfers that are over, with what came of them.
    func poll(
        milliseconds: Int32, among transfers: [HTTPTransfer]
    ) -> [(transfer: HTTPTransfer, result: Result<HTTPAnswer, HTTPFailure>)] {
        var running: Int32 = 0
        unsafe curl_multi_perform(handle, &running)
        var ended = finished(transfers)
        if ended.isEmpty {
            unsafe curl_multi_poll(handle, nil, 0, max(milliseconds, 0), nil)
            unsafe curl_multi_perform(handle, &running)
            ended = finished(transfers)
        }
        return ended
    }

    private func finished(
        _ transfers: [HTTPTransfer]
    ) -> [(transfer: HTTPTransfer, result: Result<HTTPAnswer, HTTPFailure>)] {
        var ended: [(transfer: HTTPTransfer, result: Result<HTTPAnswer, HTTPFailure>)] = []
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let code = unsafe message.pointee.data.result
            let easy = unsafe message.pointee.easy_handle
            guard let transfer = transfers.first(where: { unsafe $0.easy == easy }) else { continue }
            unsafe curl_multi_remove_handle(handle, easy)
            ended.append((transfer, transfer.result(code)))
        }
        return ended
    }

    /// Ends a wait; may be called from any thread.
    func wake() { unsafe curl_multi_wakeup(handle) }
}

/// The library as a whole.
enum HTTPLibrary {
    /// Whether it could be started; done once, by the first who asks.
    static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    static let userAgent = "tributary-otlp-swift/\(TelemetryResource.libraryVersion)"
}
