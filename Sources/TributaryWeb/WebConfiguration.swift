internal import TributaryCore

/// Where and within which limits a ``WebServer`` listens.
public struct WebConfiguration: Sendable {
    /// The port; 0 takes a free one (``WebServer/port`` tells it).
    public var port: UInt16
    /// The IPv4 address to bind: this host only, unless told otherwise.
    public var address: String
    /// The names that requests may give as `Host`, without port.
    ///
    /// Nil: `localhost` and the address on a loopback address, any elsewhere.
    public var hosts: [String]?
    /// How many connections are served at a time; further ones wait.
    ///
    /// 1...10,000.
    public var maximumConnections: Int
    /// After how long without anything happening a connection is closed, in whole seconds.
    ///
    /// A second to an hour.
    public var timeout: Duration

    /// Makes settings.
    public init(
        port: UInt16 = 8080, address: String = "127.0.0.1", hosts: [String]? = nil, maximumConnections: Int = 64,
        timeout: Duration = .seconds(10)
    ) {
        self.port = port
        self.address = address
        self.hosts = hosts?.map { $0.lowercased() }
        self.maximumConnections = maximumConnections
        self.timeout = timeout
    }

    /// Refuses settings that can't be.
    func check() throws(WebError) {
        do throws(SettingError) {
            try SettingCheck.number("maximumConnections", maximumConnections, from: 1, through: 10_000)
            try SettingCheck.duration("timeout", timeout, from: .seconds(1), through: .seconds(3600))
        } catch {
            throw WebError(.invalidSetting, "\(error)")
        }
    }

    var isLoopback: Bool { address.hasPrefix("127.") }
}

/// Why a web server could not start.
public struct WebError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failures.
    public enum Code: String, Sendable {
        /// The address is not one.
        case invalidAddress
        /// A setting lies outside of what it can be.
        case invalidSetting
        /// The address and port can't be listened on.
        case notBound
    }

    /// The kind.
    public let code: Code
    /// What happened, with address and port.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
