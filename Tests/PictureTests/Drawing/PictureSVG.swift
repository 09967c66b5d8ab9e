import Tributary

/// Draws a run: a row for each record that goes in, in the order of arrival, with what it brought out at its right; in between, on an axis of
/// the records' time, where they lie.
struct PictureSVG {
    private static let row = 24
    private static let margin = 16
    private static let axis = 320
    private static let gap = 24
    private static let character = 7.3
    private static let colors = ["#3b6fb5", "#b5653b", "#2f7d4f", "#8a5fa8"]

    private let picture: Picture
    private let run: PictureRun
    private let keys: [String]
    private let topics: [String]
    private let first: Int64
    private let last: Int64
    private let left: Int
    private let right: Int
    private var parts: [String] = []
    private var y = PictureSVG.margin

    init(_ picture: Picture, _ run: PictureRun) {
        self.picture = picture
        self.run = run
        var keys: [String] = []
        var topics: [String] = []
        var times: [Int64] = []
        for step in run.steps {
            for key in [step.input.key ?? ""] + step.outputs.map(\.shown.key) where !key.isEmpty && !keys.contains(key)
            {
                keys.append(key)
            }
            if let topic = step.input.topic, !topics.contains(topic) { topics.append(topic) }
            times.append(step.input.time * 1000)
            for output in step.outputs {
                times.append(output.shown.time)
                if let window = output.shown.window { times += [window.start, min(window.end, 3_600_000)] }
            }
        }
        self.keys = keys
        self.topics = topics
        let grid = picture.grid * 1000
        first = max((times.min() ?? 0) / grid * grid, 0)
        last = ((times.max() ?? grid) + grid - 1) / grid * grid
        left = Self.margin * 2 + Self.width(run.steps.map { Self.text($0.input) })
        right =
            Self.margin
            + Self.width(run.steps.flatMap { $0.outputs.map { Self.text($0.topic, $0.shown) } } + ["left out"])
    }

    static func draw(_ picture: Picture) throws -> String {
        var drawing = PictureSVG(picture, try PictureRun(picture))
        return drawing.draw()
    }

    private mutating func draw() -> String {
        y += Self.row
        let top = y - 4
        var reached: Int64 = -1
        var path = ""
        for step in run.steps {
            let begin = y
            draw(step)
            guard step.input.topic != nil else { continue }
            // Stream time: how far the records have come.
            let before = reached
            reached = max(reached, step.input.time * 1000)
            path += before < 0 ? "M\(x(reached)) \(begin)V\(y)" : "H\(x(reached))V\(y)"
        }
        let bottom = y
        var back = ""
        for time in stride(from: first, through: last, by: Int64.Stride(picture.grid * 1000)) {
            back += "<path d=\"M\(x(time)) \(top)V\(bottom)\" class=\"g\"/>"
            back += "<text x=\"\(x(time))\" y=\"\(Self.margin + 8)\" class=\"a\">\(time / 1000)</text>"
        }
        back += "<path d=\"\(path)\" class=\"s\"/>"
        let width = left + Self.axis + Self.gap + right
        let height = bottom + Self.margin
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" \
            xml:space="preserve">\
            <title>\(Self.escaped(picture.title))</title>\
            <style>text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#222}.a{fill:#666;text-anchor:middle}.d{fill:#a33}\
            .g{stroke:#e4e4e4;fill:none}.s{stroke:#999;stroke-dasharray:3 3;fill:none}</style>\
            <rect width="100%" height="100%" fill="#ffffff"/>
            \(back)
            \(parts.joined(separator: "\n"))
            </svg>

            """
    }

    private mutating func draw(_ step: PictureRun.Step) {
        let input = step.input
        parts.append("<text x=\"\(Self.margin)\" y=\"\(y + 13)\">\(Self.escaped(Self.text(input)))</text>")
        var rows = 0
        for output in step.outputs {
            let shown = output.shown
            let line = y + rows * Self.row
            parts.append(
                "<text x=\"\(left + Self.axis + Self.gap)\" y=\"\(line + 13)\">\(Self.escaped(Self.text(output.topic, shown)))</text>"
            )
            if let window = shown.window {
                parts.append(bar(shown, window, line))
            } else {
                parts.append(diamond(shown, line))
            }
            rows += 1
        }
        if let topic = input.topic {
            parts.append(mark(of: topic, x(input.time * 1000), y + 9, color(input.key ?? "")))
        }
        if step.dropped > 0 {
            parts.append(
                "<text x=\"\(left + Self.axis + Self.gap)\" y=\"\(y + rows * Self.row + 13)\" class=\"d\">left out</text>"
            )
            rows += 1
        }
        y += max(rows, 1) * Self.row
    }

    // Each topic has a shape of its own.
    private func mark(of topic: String, _ x: Int, _ y: Int, _ color: String) -> String {
        topics.firstIndex(of: topic) == 0
            ? "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"5\" fill=\"\(color)\"/>"
            : "<rect x=\"\(x - 5)\" y=\"\(y - 5)\" width=\"10\" height=\"10\" fill=\"\(color)\"/>"
    }

    private func bar(_ shown: Output.Shown, _ window: Window, _ line: Int) -> String {
        let (start, end) = (x(window.start), x(min(window.end, last)))
        let color = color(shown.key)
        let fill = shown.value == nil ? "none" : color
        return "<rect x=\"\(start)\" y=\"\(line + 4)\" width=\"\(max(end - start, 3))\" height=\"10\" rx=\"2\" "
            + "fill=\"\(fill)\" fill-opacity=\"0.35\" stroke=\"\(color)\"/>"
    }

    private func diamond(_ shown: Output.Shown, _ line: Int) -> String {
        let (x, y) = (x(shown.time), line + 9)
        let color = color(shown.key)
        return "<path d=\"M\(x - 8) \(y)l8 -8l8 8l-8 8z\" fill=\"none\" stroke=\"\(color)\"/>"
    }

    private func x(_ time: Int64) -> Int { left + Int((time - first) * Int64(Self.axis) / max(last - first, 1)) }

    private func color(_ key: String) -> String { Self.colors[(keys.firstIndex(of: key) ?? 0) % Self.colors.count] }

    private static func text(_ input: Input) -> String {
        guard let topic = input.topic else { return input.text }
        return "\(topic)  \(input.key ?? "-") = \(input.text)  @\(input.time)"
    }

    private static func text(_ topic: String, _ shown: Output.Shown) -> String {
        var text = "\(topic)  \(shown.key)"
        if let window = shown.window {
            text += " [\(seconds(window.start)), \(seconds(window.end))\(shown.isClosed ? "]" : ")")"
        }
        return text + " = \(shown.value ?? "deleted")  @\(seconds(shown.time))"
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        let rest = milliseconds % 1000
        return rest == 0 ? "\(milliseconds / 1000)" : "\(milliseconds / 1000).\(String(1000 + rest).dropFirst())"
    }

    private static func width(_ texts: [String]) -> Int { Int(Double(texts.map(\.count).max() ?? 0) * character) }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
        return result
    }
}
