internal import TributaryCore

/// Until when changes of a table wait, and in which buffer, as Kafka Streams' class of the same name.
public struct Suppressed<Key>: Sendable {
    /// How long a change waits.
    enum Wait: Sendable {
        case time(Duration)
        case windowCloses
    }

    let wait: Wait
    let buffer: BufferLimits
    /// The end of a key's window, ms; nil where changes wait for a time.
    @usableFromInline let windowEnd: (@Sendable (Key) -> Int64)?

    init(_ wait: Wait, _ buffer: BufferLimits, windowEnd: (@Sendable (Key) -> Int64)?) {
        self.wait = wait
        self.buffer = buffer
        self.windowEnd = windowEnd
    }

    /// Each key's changes wait until stream time is `limit` past the first of them; then the last one is sent on.
    ///
    /// - Parameters:
    ///   - limit: whole milliseconds, 0 or more; with 0 each change is sent on at once unless a later one was there.
    ///   - buffer: what happens when there is too much; by default there is no limit.
    public static func untilTimeLimit(_ limit: Duration, buffer: EagerBuffer) -> Suppressed {
        Suppressed(.time(limit), buffer.limits, windowEnd: nil)
    }

    /// Each key's changes wait until stream time is `limit` past the first of them; then the last one is sent on.
    ///
    /// See ``untilTimeLimit(_:buffer:)-(_,EagerBuffer)``.
    public static func untilTimeLimit(_ limit: Duration, buffer: StrictBuffer = .unbounded) -> Suppressed {
        Suppressed(.time(limit), buffer.limits, windowEnd: nil)
    }

    /// The changes of each window wait until it takes no more records; then its last result is sent on, and no delete is.
    ///
    /// That is when stream time, of the changes that come, has passed the window's end by the grace.
    ///
    /// - Parameter buffer: nothing can be sent on early, so that a buffer with limits ends the task when it is full.
    public static func untilWindowCloses<Inner>(buffer: StrictBuffer = .unbounded) -> Suppressed
    where Key == Windowed<Inner> {
        Suppressed(.windowCloses, buffer.limits) { $0.window.end }
    }
}

/// What a buffer of ``Suppressed`` may hold, and its changelog.
struct BufferLimits: Sendable {
    var records = Int64.max
    var bytes = Int64.max
    var emitsEarly = false
    var logging = true
    var changelogSettings: [String: String] = [:]

    /// What is wrong with the limits; nil if nothing is.
    var problem: String? {
        records < 0 || bytes < 0
            ? "a buffer's limits can't be below 0, but are \(records) records and \(bytes) bytes" : nil
    }
}

/// A buffer that keeps all changes until their time has come, as Kafka Streams' `StrictBufferConfig`.
public struct StrictBuffer: Sendable {
    let limits: BufferLimits

    /// Without limits.
    public static var unbounded: StrictBuffer { unbounded() }

    /// Without limits.
    ///
    /// - Parameters:
    ///   - logging: whether there is a changelog; without one, what waits is lost with the task.
    ///   - changelogSettings: settings of the changelog topic.
    public static func unbounded(logging: Bool = true, changelogSettings: [String: String] = [:]) -> StrictBuffer {
        StrictBuffer(limits: BufferLimits(logging: logging, changelogSettings: changelogSettings))
    }

    /// With limits; more than that ends the task with ``SuppressionBufferFull``.
    ///
    /// - Parameters:
    ///   - maxRecords: how many keys may wait; nil for any number.
    ///   - maxBytes: how many bytes, as Kafka Streams counts them: keys, values, 28 for each, its topic's name and headers; nil for any.
    ///   - logging: whether there is a changelog; without one, what waits is lost with the task.
    ///   - changelogSettings: settings of the changelog topic.
    public static func shutDownWhenFull(
        maxRecords: Int64? = nil, maxBytes: Int64? = nil, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StrictBuffer {
        StrictBuffer(
            limits: BufferLimits(
                records: maxRecords ?? Int64.max, bytes: maxBytes ?? Int64.max, logging: logging,
                changelogSettings: changelogSettings))
    }
}

/// A buffer that sends the oldest changes on early when it is full, as Kafka Streams' `EagerBufferConfig`.
public struct EagerBuffer: Sendable {
    let limits: BufferLimits

    /// With limits; what is above them is sent on, the oldest first.
    ///
    /// - Parameters:
    ///   - maxRecords: how many keys may wait; nil for any number.
    ///   - maxBytes: how many bytes, as Kafka Streams counts them: keys, values, 28 for each, its topic's name and headers; nil for any.
    ///   - logging: whether there is a changelog; without one, what waits is lost with the task.
    ///   - changelogSettings: settings of the changelog topic.
    public static func emitEarlyWhenFull(
        maxRecords: Int64? = nil, maxBytes: Int64? = nil, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> EagerBuffer {
        EagerBuffer(
            limits: BufferLimits(
                records: maxRecords ?? Int64.max, bytes: maxBytes ?? Int64.max, emitsEarly: true, logging: logging,
                changelogSettings: changelogSettings))
    }
}

/// The buffer of a suppression has no room for a change, and may send nothing on early.
public struct SuppressionBufferFull: Error, Equatable, CustomStringConvertible {
    /// The node.
    public let node: String
    /// How many keys wait.
    public let records: Int64
    /// How many may.
    public let maxRecords: Int64
    /// How many bytes wait, as Kafka Streams counts them.
    public let bytes: Int64
    /// How many may.
    public let maxBytes: Int64

    /// One sentence.
    public var description: String {
        "the buffer of '\(node)' is full: it has \(records) of \(maxRecords) records and \(bytes) of \(maxBytes) bytes; raise the "
            + "limits, or let it send on early"
    }
}
