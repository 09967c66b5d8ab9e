/// What a store or its engine could not do, with the store and key that it concerns.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, as far as a caller must tell apart.
    public enum Code: String, Sendable, Hashable {
        /// Stored bytes are not what was written.
        case corrupt
        /// A serde refuses a stored value's bytes: what wrote them was another.
        case undecodable
        /// A serde refuses a value that only a cache had: what was done since the last commit is given up, and done again.
        case unencodable
        /// A format newer than this library.
        case unknownFormat
        /// The state directory belongs to another process.
        case inUse
        /// No space left on the device, or a quota reached.
        case diskFull
        /// The environment's map is at its limit.
        case mapFull
        /// A key or value that the store cannot take.
        case invalidRequest
        /// The state directory belongs to another topology.
        case topologyMismatch
        /// A store that isn't there or isn't connected.
        case unknownStore
        /// Stores whose flushes write into each other without end.
        case endlessFlush
        /// The store is closed, or its iterator was used after a commit.
        case closed
        /// An input/output error of the system.
        case io
    }

    /// What went wrong.
    public let code: Code
    /// What went wrong, in words.
    public let message: String
    /// The store, if one is concerned.
    public let store: String?
    /// The key in hexadecimal, if one is concerned.
    public let key: String?

    /// Makes an error.
    public init(_ code: Code, _ message: String, store: String? = nil, key: String? = nil) {
        self.code = code
        self.message = message
        self.store = store
        self.key = key
    }

    /// One sentence with the store; the key only by its length, since it may be personal.
    public var description: String {
        var text = "\(code.rawValue): \(message)"
        if let store { text += " (store \(store)" + (key.map { ", key of \($0.utf8.count / 2) bytes" } ?? "") + ")" }
        return text
    }
}
