/* route_order.c -- POST /api/calculate-order: entry, stop and take-profit prices, as the origin's calculator gives them. */
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "trade/order.h"

static const struct param params[] = {
        {"price", PARAM_NUMBER, .required = true, .help = "the current price"},
        {"entry_pct_chg", PARAM_NUMBER, .required = true, .unit = "%", .help = "distance of the entry from the price"},
        {"loss_threshold", PARAM_NUMBER, .required = true, .unit = "%", .help = "distance of the stop from the entry"},
        {"profit_threshold", PARAM_NUMBER, .required = true, .unit = "%", .help = "distance of the take-profit from the entry"},
        {"order_type", PARAM_TEXT, .required = true, .help = "short or long, in any case"},
};

static bool calculate(const struct json *in, enum order_side side, struct order_prices *out, struct err *e)
{
	return order_prices(json_get_double(in, "price", 0), json_get_double(in, "entry_pct_chg", 0),
	        json_get_double(in, "loss_threshold", 0), json_get_double(in, "profit_threshold", 0), side, out, e);
}

static void answer(struct call *c, const struct order_prices *p, enum order_side side)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_text(&w, "entry_price", p->entry);
	jw_text(&w, "stop_loss_price", p->stop);
	jw_text(&w, "take_profit_price", p->take);
	jw_text(&w, "order_type", side == ORDER_LONG ? "long" : "short");
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_order(struct call *c)
{
	struct json *in = input_params(c, params, ARRAY_LEN(params));
	enum order_side side;
	struct order_prices prices;
	struct err e = {0};

	if (!in)
		return;
	if (!order_side_of(json_get_text(in, "order_type", ""), &side))
		reply_detail(c, 400, "计算失败: 订单类型必须是 'short' 或 'long'");
	else if (!calculate(in, side, &prices, &e))
		reply_detail(c, 400, "计算失败: %s", e.text);
	else
		answer(c, &prices, side);
	json_close(&in);
}
