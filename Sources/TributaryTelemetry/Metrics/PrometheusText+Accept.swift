extension PrometheusText.Format {
    /// The format that a client asks for by `Accept` (RFC 9110, section 12.5.1): the one with the greater weight.
    ///
    /// OpenMetrics has to be named; with equal weights it is taken then. Without `Accept`, and if neither format will do,
    /// it is Prometheus' own.
    public init(accept: String) {
        var openMetrics: Double = 0
        // How exactly the range of each weight was named: `*/*`, `text/*`, `text/plain`.
        var plain: (rank: Int, weight: Double) = (-1, accept.isEmpty ? 1 : 0)
        for range in accept.split(separator: ",") {
            let parts = range.split(separator: ";").map { Self.trimmed($0).lowercased() }
            guard let type = parts.first, let weight = Self.weight(parts.dropFirst()) else { continue }
            let versions = parts.dropFirst().filter { $0.hasPrefix("version=") }
            switch type {
            case "application/openmetrics-text":
                guard versions.allSatisfy({ $0 == "version=1.0.0" || $0 == "version=0.0.1" }) else { continue }
                openMetrics = max(openMetrics, weight)
            case "text/plain":
                guard versions.allSatisfy({ $0 == "version=0.0.4" }) else { continue }
                plain = plain.rank < 2 ? (2, weight) : (2, max(plain.weight, weight))
            case "text/*": if plain.rank < 1 { plain = (1, weight) }
            case "*/*": if plain.rank < 0 { plain = (0, weight) }
            default: continue
            }
        }
        self = openMetrics > 0 && openMetrics >= plain.weight ? .openMetrics : .prometheus
    }

    /// The weight of a range, 0 to 1; nil if it isn't one.
    private static func weight(_ parameters: ArraySlice<String>) -> Double? {
        guard let text = parameters.first(where: { $0.hasPrefix("q=") })?.dropFirst(2) else { return 1 }
        guard let weight = Double(text), (0...1).contains(weight) else { return nil }
        return weight
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let front = text.drop { $0 == " " || $0 == "\t" }
        return Substring(front.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
