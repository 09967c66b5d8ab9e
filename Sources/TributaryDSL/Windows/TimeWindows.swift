public import TributaryCore

/// A window of time: from `start` (included) to `end`, ms since the epoch.
public struct Window: Hashable, Sendable {
    /// The first millisecond.
    public var start: Int64
    /// The millisecond after the last; of sessions and sliding windows the last.
    public var end: Int64

    /// Makes a window.
    public init(start: Int64, end: Int64) {
        self.start = start
        self.end = end
    }
}

/// A key in a window.
public struct Windowed<Key> {
    /// The key.
    public var key: Key
    /// The window.
    public var window: Window

    /// Makes a windowed key.
    @inlinable
    public init(key: Key, window: Window) {
        self.key = key
        self.window = window
    }
}

extension Windowed: Equatable where Key: Equatable {}
extension Windowed: Hashable where Key: Hashable {}
extension Windowed: Sendable where Key: Sendable {}

/// Windows of fixed size, aligned to the epoch: tumbling, or hopping if they advance by less than their size; or one window that never ends.
///
/// A record belongs to the windows with `start <= timestamp < end`; none starts before 0 (Docs/Semantics.md, Windows).
public struct TimeWindows: Hashable, Sendable {
    /// The size.
    public let size: Duration
    /// How far one window starts after another.
    public let advance: Duration
    /// How long after its end, in stream time, a window still takes records.
    public let grace: Duration
    // The same in ms, for records to be compared with.
    @usableFromInline let sizeTime: Int64
    @usableFromInline let advanceTime: Int64
    @usableFromInline let graceTime: Int64
    /// The start of the one window that never ends, ms; nil for windows that end.
    @usableFromInline let onlyStart: Int64?

    private init(size: Duration, advance: Duration, grace: Duration, onlyStart: Int64? = nil) {
        self.onlyStart = onlyStart
        self.size = size
        self.advance = advance
        self.grace = grace
        sizeTime = size.milliseconds
        advanceTime = advance.milliseconds
        graceTime = grace.milliseconds
    }

    /// Windows that follow each other without gap or overlap.
    ///
    /// - Parameters:
    ///   - size: whole milliseconds, one or more; `build()` refuses others. What is beyond `Int64.max` ms is that.
    ///   - grace: how long a window that has ended still takes records, zero or more.
    public static func tumbling(size: Duration, grace: Duration = .zero) -> TimeWindows {
        TimeWindows(size: size, advance: size, grace: grace)
    }

    /// Windows of `size` that start every `advance`.
    ///
    /// - Parameters:
    ///   - size: whole milliseconds, one or more; `build()` refuses others. What is beyond `Int64.max` ms is that.
    ///   - advance: whole milliseconds, one or more, and no more than the size.
    ///   - grace: how long a window that has ended still takes records, zero or more.
    public static func hopping(size: Duration, advance: Duration, grace: Duration = .zero) -> TimeWindows {
        TimeWindows(size: size, advance: advance, grace: grace)
    }

    /// One window that begins at a time and never ends, as Kafka Streams' `UnlimitedWindows`.
    ///
    /// Records before it are left out, and not counted as dropped.
    ///
    /// - Parameter start: ms since the epoch, zero or more; `build()` refuses others.
    public static func unlimited(startingAt start: Int64 = 0) -> TimeWindows {
        let all = Duration.milliseconds(Int64.max)
        return TimeWindows(size: all, advance: all, grace: .zero, onlyStart: start)
    }

    var problem: String? {
        if let onlyStart, onlyStart < 0 { return "the window's start is \(onlyStart) ms, but must not be below zero" }
        if let problem = TimeWindows.problem("size", size) ?? TimeWindows.problem("advance", advance) { return problem }
        if advance > size { return "the window's advance is \(advance), but must not be above its size of \(size)" }
        if grace < .zero { return "the window's grace is \(grace), but must not be below zero" }
        return nil
    }

    /// Why a time can't be a window's size; nil if it can.
    static func problem(_ what: String, _ time: Duration) -> String? {
        let milliseconds = time.milliseconds
        let rest = time - .milliseconds(milliseconds)
        guard milliseconds >= 1, milliseconds == .max || rest < .nanoseconds(1) else {
            return "the window's \(what) is \(time), but must be 1 ms or more, in whole milliseconds"
        }
        return nil
    }

    /// The start of the earliest window of a time; 0 for times below 0.
    @inlinable
    public func firstStart(of timestamp: Int64) -> Int64 {
        if let onlyStart { return onlyStart }
        let step = max(advanceTime, 1)
        let from = timestamp.subtractingSaturated(sizeTime.subtractingSaturated(step))
        return max(from, 0) / step &* step
    }

    /// Whether two times belong to the same windows.
    @inlinable
    func haveSame(_ one: Int64, _ other: Int64) -> Bool {
        let step = max(advanceTime, 1)
        return firstStart(of: one) == firstStart(of: other) && one / step == other / step
    }

    /// The end of the window that starts at `start`; the greatest time if that is beyond it.
    @inlinable
    public func end(ofStart start: Int64) -> Int64 {
        start.addingSaturated(sizeTime)
    }
}
