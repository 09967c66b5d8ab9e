internal import TributaryCore

/// What an OTLP server's answer, or its absence, means for a request (OTLP 1.11, "OTLP/HTTP Response").
enum OTLPVerdict: Equatable {
    /// All was taken.
    case accepted
    /// Taken, with something to tell: how many items were refused, and why.
    case partial(rejected: Int64, message: String)
    /// Try again, after that many seconds if the server said so.
    case retry(after: Int64?, reason: String)
    /// The connection was cut: try at once on a new one, the first time.
    case cut(reason: String)
    /// Never try again.
    case refused(status: Int, reason: String)

    init(_ result: Result<HTTPAnswer, HTTPFailure>, encoding: OTLPEncoding) {
        switch result {
        case .failure(let failure):
            switch failure.code {
            case .cut: self = .cut(reason: failure.reason)
            case .invalid: self = .refused(status: 0, reason: failure.reason)
            case .connect, .timeout: self = .retry(after: nil, reason: failure.reason)
            // A certificate may be renewed.
            case .untrusted: self = .retry(after: nil, reason: "TLS: \(failure.reason)")
            }
        case .success(let answer):
            switch answer.status {
            case 200..<300:
                switch OTLPAnswer.read(answer) {
                // Who answers something else is no OTLP server: a proxy, a login page.
                case .unreadable(let reason): self = .refused(status: answer.status, reason: reason)
                // A partial success that is there but empty is a success.
                case .response(let rejected, let message) where rejected <= 0 && message.isEmpty: self = .accepted
                case .response(let rejected, let message):
                    self = .partial(rejected: max(rejected, 0), message: message)
                }
            case 429, 502, 503, 504:
                self = .retry(after: answer.retryAfter, reason: OTLPVerdict.words(answer, encoding))
            default: self = .refused(status: answer.status, reason: OTLPVerdict.words(answer, encoding))
            }
        }
    }

    private static func words(_ answer: HTTPAnswer, _ encoding: OTLPEncoding) -> String {
        let message = OTLPAnswer.statusMessage(answer)
        return "HTTP status \(answer.status)\(message.isEmpty ? "" : ": \(message)")"
    }
}

/// When a request is tried again: exponential back-off with jitter, or what the server asks for, up to a limit.
struct OTLPRetry {
    /// The first wait, ms.
    static let firstWait: Int64 = 1000
    /// The longest wait that isn't the server's, ms.
    static let longestWait: Int64 = 30_000

    private let began: Int64
    private let limit: Int64
    private var wait = firstWait
    private var wasCut = false

    /// A request that is sent now (monotonic, ms) and may be tried for `limit` ms.
    init(now: Int64, limit: Int64) {
        began = now
        self.limit = limit
    }

    /// When to try again after a failure; nil to give up, since the time would be over.
    mutating func next(_ verdict: OTLPVerdict, now: Int64, random: inout FastRandom) -> Int64? {
        var next: Int64
        switch verdict {
        case .cut where !wasCut:
            wasCut = true
            return now
        case .cut, .retry(after: nil, _):
            // 80 to 120 %, so that those who failed together don't come back together.
            next = now + wait * Int64.random(in: 800...1200, using: &random) / 1000
            wait = min(wait * 2, OTLPRetry.longestWait)
        case .retry(after: let seconds?, _):
            next = now.addingSaturated(max(seconds, 0).multipliedSaturated(by: 1000))
        case .accepted, .partial, .refused: return nil
        }
        return next - began > limit ? nil : next
    }
}

/// Reads what servers answer.
enum OTLPAnswer {
    /// What the body of a success says.
    enum Content: Equatable {
        /// How many items were rejected, and why; 0 and empty where it has no partial success.
        case response(rejected: Int64, message: String)
        /// It isn't what an OTLP server answers.
        case unreadable(String)
    }

    /// Reads the body of a success.
    static func read(_ answer: HTTPAnswer) -> Content {
        // An empty body is the empty message.
        if answer.body.isEmpty { return .response(rejected: 0, message: "") }
        let what = "HTTP status \(answer.status) with"
        switch answer.contentType {
        case OTLPEncoding.json.contentType:
            if answer.isCut { return .unreadable("\(what) an answer of more than \(answer.body.count) bytes") }
            // A damaged one: the status counts.
            guard let partial = try? JSONReader.read(unsafe answer.body.span.bytes)["partialSuccess"] else {
                return .response(rejected: 0, message: "")
            }
            let rejected =
                ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"].lazy.compactMap { partial[$0]?.int64 }
                .first
            return .response(rejected: rejected ?? 0, message: partial["errorMessage"]?.string ?? "")
        case OTLPEncoding.protobuf.contentType: return readProtobuf(answer, what)
        case "": return .unreadable("\(what) a body of no type")
        default: return .unreadable("\(what) a body of type \(answer.contentType)")
        }
    }

    private static func readProtobuf(_ answer: HTTPAnswer, _ what: String) -> Content {
        var partial: [UInt8]?
        let isWhole = unsafe fields(answer.body.span.bytes) { number, content, _ in
            if number == 1, let content { partial = [UInt8](copying: content) }
        }
        if answer.isCut {
            // How many were rejected stands before the words that were too long.
            var rejected: Int64 = 0
            var reader = unsafe ByteReader(answer.body.span.bytes)
            if (try? reader.varint()) == 0x0a, (try? reader.varint()) != nil {
                let rest = [UInt8](answer.body.dropFirst(reader.offset))
                _ = unsafe fields(rest.span.bytes) { number, content, value in
                    if number == 1, content == nil { rejected = Int64(bitPattern: value) }
                }
            }
            guard rejected > 0 else {
                return .unreadable("\(what) an answer of more than \(answer.body.count) bytes")
            }
            return .response(rejected: rejected, message: "an answer of more than \(answer.body.count) bytes")
        }
        guard isWhole, let partial else { return .response(rejected: 0, message: "") }
        return unsafe .response(
            rejected: Int64(bitPattern: integer(partial.span.bytes, field: 1) ?? 0),
            message: message(partial.span.bytes, field: 2).map { String(decoding: $0, as: UTF8.self) } ?? "")
    }

    /// The words of a failure: the message of a `google.rpc.Status`, or the first line of a text.
    static func statusMessage(_ answer: HTTPAnswer) -> String {
        var text = ""
        switch answer.contentType {
        case OTLPEncoding.json.contentType:
            text = unsafe (try? JSONReader.read(answer.body.span.bytes))?["message"]?.string ?? ""
        case OTLPEncoding.protobuf.contentType:
            text =
                unsafe message(answer.body.span.bytes, field: 2).map { String(decoding: $0, as: UTF8.self) } ?? ""
        case "text/plain": text = String(decoding: answer.body.prefix { $0 != 0x0a }, as: UTF8.self)
        default: break
        }
        return String(text.prefix(200))
    }

    /// The bytes of the last field of a number that has a length; nil if there is none, or if the message is malformed.
    static func message(_ bytes: RawSpan, field wanted: UInt64) -> [UInt8]? {
        var found: [UInt8]?
        let isWhole = fields(bytes) { number, content, _ in
            if number == wanted, let content { found = [UInt8](copying: content) }
        }
        return isWhole ? found : nil
    }

    private static func integer(_ bytes: RawSpan, field wanted: UInt64) -> UInt64? {
        var found: UInt64?
        let isWhole = fields(bytes) { number, content, value in
            if number == wanted, content == nil { found = value }
        }
        return isWhole ? found : nil
    }

    /// Calls `body` with each field of a message; whether it was well-formed.
    private static func fields(_ bytes: RawSpan, _ body: (UInt64, RawSpan?, UInt64) -> Void) -> Bool {
        var reader = ByteReader(bytes)
        while reader.remaining > 0 {
            do throws(MalformedBytes) {
                let key = try reader.varint()
                switch key & 7 {
                case 0: body(key >> 3, nil, try reader.varint())
                case 1: _ = try reader.span(8)
                case 2: body(key >> 3, try reader.lengthPrefixed(), 0)
                case 5: _ = try reader.span(4)
                default: return false
                }
            } catch {
                return false
            }
        }
        return true
    }
}
