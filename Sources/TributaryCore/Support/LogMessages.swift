/// How important a log line is; the order of swift-log.
public enum LogLevel: String, Sendable, Comparable, CaseIterable {
    /// Every step, for debugging this library.
    case trace
    /// What happened, for debugging an application.
    case debug
    /// What an operator wants to see in normal running.
    case info
    /// Normal, but notable.
    case notice
    /// Something was skipped or will be retried.
    case warning
    /// An operation failed.
    case error
    /// The application can't go on.
    case critical

    /// Less important levels come first.
    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        rank(left) < rank(right)
    }

    private static func rank(_ level: LogLevel) -> Int { allCases.firstIndex(of: level) ?? 0 }
}

/// One log line: a fixed message, and data under dotted keys.
public struct LogMessage: Sendable {
    /// How important it is.
    public var level: LogLevel
    /// A fixed sentence without data in it.
    public var message: String
    /// The data, in the order to be shown.
    public var metadata: [(key: String, value: String)]
    /// The module that says it.
    public var source: String
    /// The trace context of the operation it belongs to; ``TraceContext/none`` if there is none.
    public var context: TraceContext

    /// Makes a line.
    public init(
        _ level: LogLevel, _ message: String, metadata: [(key: String, value: String)] = [], source: String,
        context: TraceContext = .none
    ) {
        self.level = level
        self.message = message
        self.metadata = metadata
        self.source = source
        self.context = context
    }
}

/// Where log lines go.
///
/// A value that is passed in, never global; the handler may be called from any thread. One of your own takes five lines:
///
/// ```swift
/// let logs = LogSink(level: .notice) { line in
///     let data = line.metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
///     let trace = line.context.isValid ? line.context.traceID : "-"
///     print(line.level, trace, line.message, data)
/// }
/// ```
public struct LogSink: Sendable {
    /// Lines below this level are not made.
    public let level: LogLevel
    private let handler: @Sendable (LogMessage) -> Void
    /// Whether nobody chose it.
    package var isDefault = false

    /// Makes a sink of a closure.
    public init(level: LogLevel = .info, _ handler: @escaping @Sendable (LogMessage) -> Void) {
        self.level = level
        self.handler = handler
    }

    /// A sink that drops every line.
    public static var none: LogSink { LogSink(level: .critical) { _ in } }

    /// A sink that hands each line to both, by the level of each.
    public func and(_ other: LogSink) -> LogSink {
        LogSink(level: min(level, other.level)) { [self] message in
            if message.level >= level { handler(message) }
            if message.level >= other.level { other.handler(message) }
        }
    }

    /// A sink that adds data to each line, after its own; a key that the line has is the line's.
    public func adding(_ metadata: [(key: String, value: String)]) -> LogSink {
        var sink = LogSink(level: level) { [self] message in
            var message = message
            let own = message.metadata
            message.metadata += metadata.filter { pair in !own.contains { $0.key == pair.key } }
            handler(message)
        }
        sink.isDefault = isDefault
        return sink
    }

    /// Hands over a line if its level is high enough.
    public func callAsFunction(
        _ level: LogLevel, _ message: @autoclosure () -> String,
        _ metadata: @autoclosure () -> [(key: String, value: String)] = [], source: String,
        context: TraceContext = .none
    ) {
        guard level >= self.level else { return }
        handler(LogMessage(level, message(), metadata: metadata(), source: source, context: context))
    }
}
