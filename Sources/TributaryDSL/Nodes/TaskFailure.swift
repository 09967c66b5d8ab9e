public import TributaryCore

/// What a task was doing when it failed.
public enum FailureStep: String, Sendable, Hashable {
    /// A task's stores were being brought up to date from their changelogs.
    case restore
    /// Nodes were being made and processors initialised.
    case start
    /// A timestamp extractor threw, or refused the record's timestamp.
    case timestamp
    /// A serde refused the bytes of a record or of a stored value.
    case deserialization
    /// A closure or processor threw, in a punctuation too, or a serde refused to write what a store was to hold.
    case processing
    /// A record could not be written or sent.
    case production
    /// A store's cache was being written out, in a commit or to make room.
    case flush
    /// The task's state was being made durable.
    case commit
}

/// What ends a task: an error that no handler let pass, with where it happened.
public struct TaskFailure: Error, CustomStringConvertible {
    /// What the task was doing.
    public let step: FailureStep
    /// The node; nil where none was at work.
    public let node: String?
    /// The store whose row was being written out; nil if there was none.
    public let store: String?
    /// The task.
    public let task: String
    /// The record's coordinate; of a row that is written out, that of the record that wrote it last; nil where there is no record,
    /// as in a punctuation.
    public let coordinate: RecordCoordinate?
    /// The key's bytes, of the record or row; nil for none.
    public let key: [UInt8]?
    /// What was thrown.
    public let cause: any Error

    /// Makes a failure.
    public init(
        step: FailureStep = .processing, node: String?, store: String? = nil, task: String,
        coordinate: RecordCoordinate?, key: [UInt8]? = nil, cause: any Error
    ) {
        self.step = step
        self.node = node
        self.store = store
        self.task = task
        self.coordinate = coordinate
        self.key = key
        self.cause = cause
    }

    /// One sentence with the coordinates; the key only by its length, since it may be personal.
    public var description: String {
        var text = "task \(task) failed in step \(step.rawValue)"
        if let node { text += " at node \(node)" }
        if let store { text += ", row of store \(store)" }
        if let coordinate { text += ", record \(coordinate)" }
        if let key { text += ", key of \(key.count) bytes" }
        return "\(text): \(ErrorText.of(cause))"
    }
}

/// A record failed, and the letter about it could not be sent either.
public struct DeadLetterError: Error, CustomStringConvertible {
    /// The dead-letter topic.
    public let topic: String
    /// Why the letter could not be sent.
    public let error: any Error
    /// Why the record failed.
    public let cause: any Error

    /// Makes an error.
    public init(topic: String, error: any Error, cause: any Error) {
        self.topic = topic
        self.error = error
        self.cause = cause
    }

    /// One sentence.
    public var description: String {
        "the dead letter could not be sent to '\(topic)': \(ErrorText.of(error)); the record failed because of: "
            + ErrorText.of(cause)
    }
}
