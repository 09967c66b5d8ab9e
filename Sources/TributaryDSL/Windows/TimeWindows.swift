public import TributaryCore

/// A window of time: from `start` (included) to `end` (excluded), ms since the epoch.
public struct Window: Hashable, Sendable {
    /// The first millisecond.
    public var start: Int64
    /// The millisecond after the last.
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

/// Windows of fixed size, aligned to the epoch: tumbling, or hopping if they advance by less than their size.
///
/// A record belongs to the windows with `start <= timestamp < end`; none starts before 0 (semantics 2.1).
public struct TimeWindows: Hashable, Sendable {
    /// The size in ms.
    public let size: Int64
    /// How far one window starts after another, ms.
    public let advance: Int64
    /// How long after its end, in stream time, a window still takes records, ms.
    public let grace: Int64

    /// Windows that follow each other without gap or overlap.
    public static func tumbling(size: Duration, grace: Duration = .zero) -> TimeWindows {
        TimeWindows(size: size.milliseconds, advance: size.milliseconds, grace: grace.milliseconds)
    }

    /// Windows of `size` that start every `advance`.
    public static func hopping(size: Duration, advance: Duration, grace: Duration = .zero) -> TimeWindows {
        TimeWindows(size: size.milliseconds, advance: advance.milliseconds, grace: grace.milliseconds)
    }

    var problem: String? {
        if size <= 0 { return "the window's size must be above 0 ms" }
        if advance <= 0 || advance > size { return "the window's advance must be above 0 ms and not above its size" }
        if grace < 0 { return "the window's grace must not be below 0 ms" }
        return nil
    }

    /// The start of the earliest window of a time; 0 for times below 0.
    @inlinable
    public func firstStart(of timestamp: Int64) -> Int64 {
        let step = max(advance, 1)
        let from = timestamp.subtractingSaturated(size.subtractingSaturated(step))
        return max(from, 0) / step &* step
    }

    /// The end of the window that starts at `start`; the greatest time if that is beyond it.
    @inlinable
    public func end(ofStart start: Int64) -> Int64 {
        start.addingSaturated(size)
    }
}
