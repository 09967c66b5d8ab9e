/// Files for TLS, all PEM; nil for the system's certificates and for no client certificate.
public struct TLSFiles: Sendable, Equatable {
    /// The certificates that the server's is checked against, in place of the system's.
    public var certificate: String?
    /// The client's certificate.
    public var clientCertificate: String?
    /// The client's private key.
    public var clientKey: String?

    /// Names files.
    public init(certificate: String? = nil, clientCertificate: String? = nil, clientKey: String? = nil) {
        self.certificate = certificate
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
    }
}

/// What is asked of an HTTP server, without the body.
package struct HTTPTarget: Sendable, Equatable {
    /// `http` or `https`; nothing else is allowed.
    package var url: String
    /// Whole lines, for example `Content-Type: application/json`.
    package var headers: [String]
    /// How long the whole exchange may take, ms.
    package var timeout: Int64
    /// Files for TLS.
    package var tls: TLSFiles
    /// More bytes of an answer than this are not kept.
    package var answerLimit: Int

    package init(
        url: String, headers: [String] = [], timeout: Int64 = 10_000, tls: TLSFiles = TLSFiles(),
        answerLimit: Int = 4 << 20
    ) {
        self.url = url
        self.headers = headers
        self.timeout = timeout
        self.tls = tls
        self.answerLimit = answerLimit
    }
}

/// What an HTTP server answered.
package struct HTTPAnswer: Sendable, Equatable {
    /// The status.
    package var status: Int
    /// The body, up to the limit.
    package var body: [UInt8]
    /// Whether the body was longer.
    package var isCut = false
    /// The media type, in lower case, without parameters.
    package var contentType: String
    /// Seconds to wait, if the answer had a `Retry-After` of either form.
    package var retryAfter: Int64?
}

/// Why there was no answer.
package struct HTTPFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, as far as a caller must tell apart.
    package enum Code: String, Sendable {
        /// The request can't be made: the URL, a file for TLS.
        case invalid
        /// The server can't be reached.
        case connect
        /// The server's certificate is not vouched for, or the handshake failed.
        case untrusted
        /// The connection ended without a whole answer.
        case cut
        /// It took too long.
        case timeout
    }

    /// What is wrong.
    package var code: Code
    /// In libcurl's words.
    package var reason: String

    package var description: String { reason }
}
