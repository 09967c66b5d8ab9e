/// What a log could not do, with the coordinates that it concerns.
public struct LogError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, as far as a caller must tell apart.
    public enum Code: String, Sendable, Hashable {
        /// No such topic or partition.
        case unknownTopic
        /// A topic of that name exists.
        case topicExists
        /// A name, number or setting that the log cannot take.
        case invalidRequest
        /// An offset outside of what the partition holds.
        case offsetOutOfRange
        /// A group has committed nothing for a partition, and nobody said where to begin.
        case noOffset
        /// Stored bytes are not what was written; the coordinates say which. The rest stays readable.
        case corrupt
        /// Files of a newer or unknown format.
        case unknownFormat
        /// The directory or application is in use by another process.
        case inUse
        /// No space left on the device, or a quota reached.
        case diskFull
        /// The log's map is at its limit: raise the setting and open again.
        case mapFull
        /// A record larger than the topic or the log takes.
        case tooLarge
        /// The open transaction has no room for another record: nothing is wrong with that one, commit first.
        case transactionFull
        /// Someone else took over the group or the transactional id; this member must stop.
        case fenced
        /// The outcome of a commit is unknown; ask again with the commit's id.
        case outcomeUnknown
        /// The log is closed or closing.
        case closed
        /// A setting that contradicts another or the log's files.
        case configuration
        /// An input/output error of the system.
        case io
        /// No server answered in time; nothing is known to be wrong with the request.
        case unavailable
        /// Who we are was not believed, or this is not allowed to us.
        case denied
        /// Something that this log can't do.
        case unsupported
    }

    /// What went wrong.
    public let code: Code
    /// What went wrong, in words.
    public let message: String
    /// The topic, if one is concerned.
    public let topic: String?
    /// The partition, if one is concerned.
    public let partition: Int32?
    /// The offset, if one is concerned.
    public let offset: Int64?
    /// For ``Code/corrupt``: the first offset after the bytes that can't be read.
    public let resumeOffset: Int64?

    /// Makes an error.
    public init(
        _ code: Code, _ message: String, topic: String? = nil, partition: Int32? = nil, offset: Int64? = nil,
        resumeOffset: Int64? = nil
    ) {
        self.code = code
        self.message = message
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.resumeOffset = resumeOffset
    }

    /// Whether the same call may work later without anything being changed.
    public var isRetriable: Bool {
        switch code {
        case .diskFull, .outcomeUnknown, .unavailable: true
        default: false
        }
    }

    /// One sentence with the coordinates.
    public var description: String {
        var place = ""
        if let topic {
            place = " (\(topic)"
            if let partition { place += "-\(partition)" }
            if let offset { place += "@\(offset)" }
            place += ")"
        }
        return "\(code.rawValue): \(message)\(place)"
    }
}
