/// The text of a topology's description, in the form that cases compare.
public enum DescribeText {
    /// The lines of a description: names in each `[...]` list and after each arrow sorted, a topic extractor's class replaced
    /// by `*`, empty lines at the end removed.
    public static func normalised(_ text: String) -> [String] {
        normalised(text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) })
    }

    /// The same for lines.
    public static func normalised(_ lines: [String]) -> [String] {
        var result = lines.map { normalised(line: $0) }
        while let last = result.last, last.isEmpty { result.removeLast() }
        return result
    }

    private static func normalised(line: String) -> String {
        var line = line
        let extractor = "(extractor class: "
        if let start = firstRange(of: extractor, in: line), let end = line.lastIndex(of: ")"), start.upperBound <= end {
            line.replaceSubrange(start.upperBound..<end, with: "*")
        }
        if let open = line.firstIndex(of: "["), let close = line.lastIndex(of: "]"), open < close {
            let inner = line.index(after: open)..<close
            line.replaceSubrange(inner, with: sorted(line[inner]))
        }
        for arrow in ["--> ", "<-- "] {
            guard let range = firstRange(of: arrow, in: line) else { continue }
            let names = range.upperBound..<line.endIndex
            line.replaceSubrange(names, with: sorted(line[names]))
        }
        return line
    }

    /// Names between `, `, sorted.
    private static func sorted(_ list: Substring) -> String {
        var names: [String] = []
        var rest = list
        while let comma = firstRange(of: ", ", in: String(rest)) {
            let text = String(rest)
            names.append(String(text[..<comma.lowerBound]))
            rest = Substring(text[comma.upperBound...])
        }
        names.append(String(rest))
        return names.sorted().joined(separator: ", ")
    }

    /// Where `part` first occurs; the standard library alone has no such search.
    private static func firstRange(of part: String, in text: String) -> Range<String.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(part) { return start..<text.index(start, offsetBy: part.count) }
            start = text.index(after: start)
        }
        return nil
    }
}
